// The service manager's side of sd_notify(3).

import CLinux
import LinuxSystem

/// The socket that `NOTIFY_SOCKET` names, and what came over it.
public final class ServiceManager: Sendable {
    private let descriptor: Int32
    private let path: String

    /// - Parameter path: of the socket; `@` begins an abstract name.
    public init(path: String) throws {
        self.path = path
        var bytes = [UInt8](path.utf8)
        if bytes.first == UInt8(ascii: "@") { bytes[0] = 0 }
        guard let address = UnixAddress(bytes: bytes) else {
            throw SystemError(call: "bind", errno: EINVAL, context: path)
        }
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        try address.bind(descriptor)
        var limit = timeval(tv_sec: 2, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit {
        close(descriptor)
        unlink(path)
    }

    /// The next message, or `nothing` where none comes within two seconds.
    ///
    /// The kernel queues few of them: what takes long has to ask while it goes on.
    public func next() -> String {
        var bytes = [UInt8](repeating: 0, count: 4_096)
        let count = recv(descriptor, &bytes, bytes.count, 0)
        return count < 0 ? "nothing" : String(decoding: bytes[..<count], as: UTF8.self)
    }
}
