// The service manager's notification protocol: sd_notify(3), sd_watchdog_enabled(3), without libsystemd.

internal import CLinux
internal import Glibc

/// Tells the service manager how the daemon is; does nothing where there is no manager.
public final class ServiceNotifier: Sendable {
    private let endpoint: Endpoint?

    /// Nanoseconds within which the manager wants `watchdog()`; nil where it does not. Send at half of it.
    public let watchdogInterval: Int64?

    /// Whether there is a manager to tell.
    public var isEnabled: Bool { endpoint != nil }

    /// - Parameters:
    ///   - environment: `NOTIFY_SOCKET` (a path, or `@` for the abstract namespace), `WATCHDOG_USEC`, `WATCHDOG_PID`.
    ///   - pid: our own where nil; `WATCHDOG_PID` is somebody else's where it differs.
    ///
    /// Throws where the variable is set and no socket can be made for it.
    public init(environment: [String: String], pid: Int32? = nil) throws(SystemError) {
        let isOurs = environment["WATCHDOG_PID"].map { Int32($0) == pid ?? getpid() } ?? true
        if isOurs, let text = environment["WATCHDOG_USEC"], let micros = Int64(text), micros > 0,
            micros <= Int64.max / 1_000
        {
            watchdogInterval = micros * 1_000
        } else {
            watchdogInterval = nil
        }
        guard let path = environment["NOTIFY_SOCKET"], !path.isEmpty else {
            endpoint = nil
            return
        }
        var bytes = [UInt8](path.utf8)
        let isAbstract = bytes[0] == UInt8(ascii: "@")
        if isAbstract { bytes[0] = 0 }
        guard isAbstract || bytes[0] == UInt8(ascii: "/"), let address = UnixAddress(bytes: bytes) else {
            throw SystemError(call: "NOTIFY_SOCKET", errno: EINVAL, context: "\(bytes.count) bytes")
        }
        let kind = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = try Syscall.descriptor("socket", "AF_UNIX") { socket(AF_UNIX, kind, 0) }
        endpoint = Endpoint(address: address, descriptor: descriptor)
    }

    private final class Endpoint: Sendable {
        let address: UnixAddress
        let descriptor: OwnedDescriptor

        init(address: UnixAddress, descriptor: consuming OwnedDescriptor) {
            self.address = address
            self.descriptor = descriptor
        }
    }

    /// Start-up is done, or a reload is.
    @discardableResult
    public func ready(status: String? = nil) -> Bool { send(["READY=1"] + Self.statusLines(status)) }

    /// A line for `systemctl status`.
    @discardableResult
    public func status(_ text: String) -> Bool { send(Self.statusLines(text)) }

    /// Every loop is alive.
    @discardableResult
    public func watchdog() -> Bool { send(["WATCHDOG=1"]) }

    /// A reload begins; `ready` ends it. With the monotonic time that `Type=notify-reload` asks for.
    @discardableResult
    public func reloading(now: Int64 = Clock.monotonic()) -> Bool {
        send(["RELOADING=1", "MONOTONIC_USEC=\(now / 1_000)"])
    }

    /// The daemon is about to end.
    @discardableResult
    public func stopping(status: String? = nil) -> Bool { send(["STOPPING=1"] + Self.statusLines(status)) }

    /// Sends `lines` as one datagram. True where it was taken, or where there is nobody to tell.
    ///
    /// Never blocks: a manager whose queue is full misses a status line, which the next one repeats.
    @discardableResult
    public func send(_ lines: [String]) -> Bool {
        guard let endpoint else { return true }
        let number = endpoint.descriptor.rawValue
        let message = [UInt8](lines.joined(separator: "\n").utf8)
        let result = Syscall.attempt {
            unsafe endpoint.address.withPointer { pointer, length in
                unsafe message.withUnsafeBytes {
                    unsafe sendto(number, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL), pointer, length)
                }
            }
        }
        if case .value = result { return true }
        return false
    }

    /// One assignment a line: a newline in the text would begin another one.
    private static func statusLines(_ text: String?) -> [String] {
        guard let text else { return [] }
        let line = text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? " " : String($0) }.joined()
        return ["STATUS=\(line.prefix(500))"]
    }
}
