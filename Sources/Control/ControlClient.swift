// The other end of the control socket: what `taut` uses.

internal import CLinux
internal import Glibc
public import LinuxSystem
internal import Model

/// Why a request got no reply.
public enum ControlClientError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Nobody listens: the daemon is down, or uses another socket.
    case notRunning(String)
    /// The socket is there, and our user may not use it.
    case noPermission(String)
    /// No whole reply until the deadline.
    case timedOut(String)
    /// The daemon closed the connection without a reply.
    case closed(String)
    /// The reply is not one that this version understands.
    case malformed(String)
    case system(SystemError)

    public var description: String {
        switch self {
        case .notRunning(let path): "no daemon answers on \(path)"
        case .noPermission(let path): "no permission to use \(path): be root or in the group of that file"
        case .timedOut(let path): "the daemon on \(path) did not answer in time"
        case .closed(let path): "the daemon on \(path) closed the connection without a reply"
        case .malformed(let why): "the daemon's reply cannot be read: \(why)"
        case .system(let error): error.description
        }
    }
}

/// Asks a running daemon; each request is a connection of its own, and blocks the caller until its deadline at most.
public struct ControlClient: Sendable {
    public let path: String
    /// For connect, request and reply together.
    public let timeout: Duration

    public init(path: String, timeout: Duration = .seconds(5)) {
        self.path = path
        self.timeout = timeout
    }

    /// Sends `request` and returns the reply, `ControlReply.failed` included.
    ///
    /// - Parameter timeout: other than the client's, for a request that takes its time (`hooksTest`).
    public func send(
        _ request: ControlRequest, timeout: Duration? = nil
    ) throws(ControlClientError) -> ControlReply {
        let (sum, overflow) = Clock.monotonic().addingReportingOverflow((timeout ?? self.timeout).clampedNanoseconds)
        let deadline = overflow ? Int64.max : sum
        guard let bytes = ControlFrame.encode(request) else { throw .malformed("the request is not JSON") }
        do {
            return try exchange(bytes, until: deadline)
        } catch let error as ControlClientError {
            throw error
        } catch let error as SystemError {
            throw .system(error)
        } catch {
            throw .malformed("it is no reply of this version")
        }
    }

    private func exchange(_ bytes: [UInt8], until deadline: Int64) throws -> ControlReply {
        let socket = try ControlListener.open()
        let number = socket.rawValue
        try connect(number, until: deadline)
        try write(bytes, to: number, until: deadline)
        let line = try read(from: number, until: deadline)
        return try ControlFrame.decode(ControlReply.self, from: line)
    }

    private func connect(_ socket: Int32, until deadline: Int64) throws {
        guard let address = UnixAddress(path: path) else { throw ControlClientError.notRunning(path) }
        while true {
            do {
                return try address.connect(socket)
            } catch {
                switch error.errno {
                case ENOENT, ECONNREFUSED, ENOTDIR: throw ControlClientError.notRunning(path)
                case EACCES, EPERM: throw ControlClientError.noPermission(path)
                case EAGAIN:
                    // The backlog is full; a Unix socket has no readiness to wait for there.
                    guard Clock.monotonic() < deadline else { throw ControlClientError.timedOut(path) }
                    usleep(10_000)
                default: throw error
                }
            }
        }
    }

    private func write(_ bytes: [UInt8], to socket: Int32, until deadline: Int64) throws {
        var written = 0
        while written < bytes.count {
            let start = written
            let result = Syscall.attempt {
                unsafe bytes.withUnsafeBytes { raw in
                    let rest = unsafe UnsafeRawBufferPointer(rebasing: raw[start...])
                    return unsafe Glibc.send(socket, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
                }
            }
            switch result {
            case .value(let count): written += count
            case .wouldBlock: try wait(socket, for: Int16(POLLOUT), until: deadline)
            // Turned away: the reason may be waiting to be read.
            case .failed(EPIPE), .failed(ECONNRESET): return
            case .failed(let code): throw SystemError(call: "send", errno: code, context: path)
            }
        }
    }

    private func read(from socket: Int32, until deadline: Int64) throws -> [UInt8] {
        var line: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while line.count <= ControlFrame.maximumReply {
            let result = Syscall.attempt {
                unsafe chunk.withUnsafeMutableBytes { unsafe recv(socket, $0.baseAddress, $0.count, 0) }
            }
            switch result {
            case .value(0), .failed(ECONNRESET): throw ControlClientError.closed(path)
            case .failed(let code): throw SystemError(call: "recv", errno: code, context: path)
            case .wouldBlock: try wait(socket, for: Int16(POLLIN), until: deadline)
            case .value(let count):
                let new = chunk[..<count]
                if let end = new.firstIndex(of: ControlFrame.newline) { return line + new[..<end] }
                line += new
            }
        }
        throw ControlClientError.malformed("more than \(ControlFrame.maximumReply) bytes")
    }

    private func wait(_ socket: Int32, for events: Int16, until deadline: Int64) throws {
        let left = deadline.subtractingSaturated(Clock.monotonic())
        guard left > 0 else { throw ControlClientError.timedOut(path) }
        var entry = pollfd(fd: socket, events: events, revents: 0)
        // Rounded up: a wait of 0 ms would spin through the last one.
        let milliseconds = Int32(clamping: left / 1_000_000 + 1)
        try Syscall.check("poll", path) { unsafe poll(&entry, 1, milliseconds) }
    }
}
