// Waiting for descriptors, a deadline and other threads at once: epoll, timerfd, eventfd.

internal import CLinux
internal import Glibc

/// Ends the wait of an event loop from any thread.
public final class Waker: Sendable {
    let descriptor: OwnedDescriptor

    public init() throws(SystemError) {
        descriptor = try Syscall.descriptor("eventfd") { eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK)) }
    }

    /// Makes the loop's `wait` return soon; many calls before that are one.
    public func wake() {
        var one: UInt64 = 1
        // A full counter (EAGAIN) means that a wake-up is pending already.
        _ = Syscall.attempt { unsafe write(descriptor.rawValue, &one, 8) }
    }

    func reset() {
        var count: UInt64 = 0
        _ = Syscall.attempt { unsafe read(descriptor.rawValue, &count, 8) }
    }
}

/// What a descriptor is ready for, or is watched for.
@frozen
public struct Readiness: OptionSet, Hashable, Sendable {
    public let rawValue: UInt32

    @inlinable
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let readable = Readiness(rawValue: 0x001)
    public static let writable = Readiness(rawValue: 0x004)
    /// Reported whether watched for or not: an error, or something in the socket's error queue.
    public static let error = Readiness(rawValue: 0x008)
    /// Reported whether watched for or not.
    public static let hangUp = Readiness(rawValue: 0x010)
    /// The other side has closed its half.
    public static let peerClosed = Readiness(rawValue: 0x2000)
    /// Report changes instead of states; for `add` and `modify`.
    public static let edgeTriggered = Readiness(rawValue: 1 << 31)
}

/// A level-triggered epoll set with one deadline and one waker, owned by the thread that waits on it.
@safe
public final class EventLoop {
    /// Ends `wait` from any other thread.
    public let waker: Waker

    private let epoll: OwnedDescriptor
    private let timer: OwnedDescriptor
    private let buffer: UnsafeMutableBufferPointer<epoll_event>
    /// What the timer is armed for; 0 is disarmed.
    private var armed: Int64 = 0

    private static let timerToken = UInt64.max
    private static let wakerToken = UInt64.max - 1

    /// Takes at most `batch` events a wait. Pass a `waker` made earlier where other threads need it before the loop's
    /// own thread runs.
    public init(batch: Int = 256, waker: Waker? = nil) throws(SystemError) {
        let waker = if let waker { waker } else { try Waker() }
        self.waker = waker
        epoll = try Syscall.descriptor("epoll_create1") { epoll_create1(Int32(EPOLL_CLOEXEC)) }
        timer = try Syscall.descriptor("timerfd_create") {
            timerfd_create(CLOCK_MONOTONIC, Int32(TFD_CLOEXEC | TFD_NONBLOCK))
        }
        unsafe buffer = .allocate(capacity: max(batch, 1))
        try add(timer.rawValue, for: .readable, token: Self.timerToken)
        try add(waker.descriptor.rawValue, for: .readable, token: Self.wakerToken)
    }

    deinit {
        unsafe buffer.deallocate()
    }

    /// Watches `descriptor`; its events carry `token`. The two highest tokens are the loop's own.
    ///
    /// A descriptor leaves the set by itself when its last copy is closed.
    public func add(_ descriptor: Int32, for interest: Readiness, token: UInt64) throws(SystemError) {
        try control(EPOLL_CTL_ADD, descriptor, interest, token)
    }

    /// Changes what `descriptor` is watched for.
    public func modify(_ descriptor: Int32, for interest: Readiness, token: UInt64) throws(SystemError) {
        try control(EPOLL_CTL_MOD, descriptor, interest, token)
    }

    /// Stops watching `descriptor`; one that is not in the set is left alone.
    public func remove(_ descriptor: Int32) {
        var event = unsafe epoll_event()
        _ = Syscall.attempt { unsafe epoll_ctl(epoll.rawValue, EPOLL_CTL_DEL, descriptor, &event) }
    }

    /// Waits until something is ready, `deadline` (CLOCK_MONOTONIC in nanoseconds; nil: none) has come, or the waker
    /// was used, and calls `body` once for each ready descriptor.
    ///
    /// A deadline in the past still collects what is ready. `body` gets an event for a descriptor that an earlier
    /// call of the same wait closed, so tokens must not be reused at once.
    public func wait(until deadline: Int64?, _ body: (UInt64, Readiness) -> Void) throws(SystemError) {
        arm(for: deadline)
        let count = try Syscall.check("epoll_wait") {
            unsafe epoll_wait(epoll.rawValue, buffer.baseAddress, Int32(buffer.count), -1)
        }
        for index in 0..<Int(count) {
            let event = unsafe buffer[index]
            let token = unsafe event.data.u64
            switch token {
            case Self.timerToken: disarm()
            case Self.wakerToken: waker.reset()
            default: body(token, Readiness(rawValue: unsafe event.events))
            }
        }
    }

    private func control(_ operation: Int32, _ descriptor: Int32, _ interest: Readiness, _ token: UInt64)
        throws(SystemError)
    {
        var event = unsafe epoll_event()
        unsafe event.events = interest.rawValue
        unsafe event.data.u64 = token
        try Syscall.check("epoll_ctl") { unsafe epoll_ctl(epoll.rawValue, operation, descriptor, &event) }
    }

    private func arm(for deadline: Int64?) {
        // 1 ns after the start of the clock is long past; 0 would disarm.
        let wanted = deadline.map { max($0, 1) } ?? 0
        guard wanted != armed else { return }
        var setting = itimerspec()
        setting.it_value.tv_sec = Int(wanted / 1_000_000_000)
        setting.it_value.tv_nsec = Int(wanted % 1_000_000_000)
        _ = Syscall.attempt { unsafe timerfd_settime(timer.rawValue, Int32(TFD_TIMER_ABSTIME), &setting, nil) }
        armed = wanted
    }

    private func disarm() {
        var count: UInt64 = 0
        _ = Syscall.attempt { unsafe read(timer.rawValue, &count, 8) }
        armed = 0
    }
}
