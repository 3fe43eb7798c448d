// Addresses of Unix sockets: unix(7).

internal import CLinux
internal import Glibc

/// The address of a Unix socket: a path, or a name in the abstract namespace (a first byte of zero).
public struct UnixAddress: Sendable {
    /// Bytes of `sun_path`; a path needs one of them for its end.
    public static let maximumPath = 108

    private let bytes: [UInt8]

    /// Fails for an empty path, one with a zero in it, and one that does not fit.
    public init?(path: String) {
        let bytes = [UInt8](path.utf8)
        guard !bytes.isEmpty, bytes.count < Self.maximumPath, !bytes.contains(0) else { return nil }
        self.bytes = bytes
    }

    /// The same from bytes, of which the first may be zero: an abstract name.
    public init?(bytes: [UInt8]) {
        guard !bytes.isEmpty, bytes.count < Self.maximumPath, !bytes.dropFirst().contains(0) else { return nil }
        self.bytes = bytes
    }

    /// Binds the socket `descriptor` to this address.
    public func bind(_ descriptor: Int32) throws(SystemError) {
        try Syscall.check("bind", description) {
            unsafe withPointer { unsafe Glibc.bind(descriptor, $0, $1) }
        }
    }

    /// Connects the socket `descriptor` to this address.
    public func connect(_ descriptor: Int32) throws(SystemError) {
        try Syscall.check("connect", description) {
            unsafe withPointer { unsafe Glibc.connect(descriptor, $0, $1) }
        }
    }

    /// Calls `body` with the address in the form that `bind` and `connect` take.
    @unsafe
    func withPointer<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        // An abstract name has no end mark: every byte of the length counts.
        let end = bytes[0] == 0 ? 0 : 1
        let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count + end)
        return unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe body($0, length) }
        }
    }
}

extension UnixAddress: CustomStringConvertible {
    /// The path; an abstract name with `@` in place of the zero.
    public var description: String {
        bytes[0] == 0
            ? "@" + String(decoding: bytes.dropFirst(), as: UTF8.self) : String(decoding: bytes, as: UTF8.self)
    }
}
