// The listening socket and its file.

internal import CLinux
internal import Glibc
public import LinuxSystem

/// Why the control socket cannot be served.
public enum ControlServerError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The path is empty or longer than the 107 bytes that the kernel takes.
    case unusablePath(String)
    /// A process answers there.
    case inUse(String)
    /// Something that is not a socket has the name.
    case notSocket(String)
    case system(SystemError)

    public var description: String {
        switch self {
        case .unusablePath(let path): "\(path): a socket's path has 1 to 107 bytes"
        case .inUse(let path): "\(path): another process answers on this socket"
        case .notSocket(let path): "\(path): is not a socket, and is left as it is"
        case .system(let error): error.description
        }
    }
}

/// A listening Unix stream socket with a file of mode 0660, which it removes at its end.
final class ControlListener: Sendable {
    let descriptor: OwnedDescriptor
    let path: String
    /// Owner and group of the socket file.
    let owner: UInt32
    let group: UInt32
    /// Which file is ours: another one of the same name is not removed.
    private let inode: UInt

    /// A file left behind by a dead process is replaced; one where somebody answers is not.
    convenience init(path: String) throws(ControlServerError) {
        guard let address = UnixAddress(path: path) else { throw .unusablePath(path) }
        try Self.removeStale(path, address)
        do {
            try self.init(path: path, address: address)
        } catch {
            throw .system(error)
        }
    }

    private init(path: String, address: UnixAddress) throws(SystemError) {
        let socket = try Self.open()
        let number = socket.rawValue
        try address.bind(number)
        // Before listen, so that nobody connects while the mode is the umask's.
        try Syscall.check("chmod", path) { unsafe chmod(path, 0o660) }
        let status = try Self.status(path)
        try Syscall.check("listen", path) { listen(number, 64) }
        self.path = path
        owner = status.st_uid
        group = status.st_gid
        inode = status.st_ino
        descriptor = socket
    }

    deinit {
        if let now = try? Self.status(path), now.st_ino == inode { unsafe unlink(path) }
    }

    /// The next waiting connection, non-blocking; nil where there is none.
    func accept() -> Syscall.Attempt<Int32> {
        let flags = Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let number = descriptor.rawValue
        return Syscall.attempt { taut_accept(number, flags) }
    }

    static func open() throws(SystemError) -> OwnedDescriptor {
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        return try Syscall.descriptor("socket", "AF_UNIX") { socket(AF_UNIX, kind, 0) }
    }

    private static func status(_ path: String) throws(SystemError) -> stat {
        var status = stat()
        try Syscall.check("lstat", path) { unsafe lstat(path, &status) }
        return status
    }

    private static func removeStale(_ path: String, _ address: UnixAddress) throws(ControlServerError) {
        do {
            let found = try status(path)
            guard found.st_mode & S_IFMT == S_IFSOCK else { throw ControlServerError.notSocket(path) }
            switch try answer(at: address) {
            case 0, EAGAIN: throw ControlServerError.inUse(path)  // A full backlog is somebody who listens.
            case ECONNREFUSED: try Syscall.check("unlink", path) { unsafe unlink(path) }
            case let code: throw SystemError(call: "connect", errno: code, context: path)
            }
        } catch let error as ControlServerError {
            throw error
        } catch let error as SystemError {
            if error.errno != ENOENT { throw .system(error) }
        } catch {
            throw .unusablePath(path)
        }
    }

    /// What a connect to `address` comes to, as an error number; 0 where somebody takes it.
    private static func answer(at address: UnixAddress) throws(SystemError) -> Int32 {
        let probe = try open()
        let number = probe.rawValue
        do {
            try address.connect(number)
            return 0
        } catch {
            return error.errno
        }
    }
}
