// Running one hook without a daemon, for `taut hooks test`.

internal import Glibc
internal import LinuxSystem
public import Model

extension HookDelivery {
    /// Runs a hook once with a test message on a thread of its own, without a spool; for the command when no daemon runs.
    public static func test(hook: HookSpec, site: String) async -> HookRunResult {
        await withCheckedContinuation { continuation in
            let body: @Sendable () -> Void = { continuation.resume(returning: runToEnd(hook, site: site)) }
            do throws(SystemError) {
                _ = try LinuxSystem.Thread.start(name: "hook test", body: body)
            } catch {
                continuation.resume(returning: .refused(hook: hook.name, error.description))
            }
        }
    }

    /// The hook dies with the thread that started it, so this thread waits for its end.
    private static func runToEnd(_ hook: HookSpec, site: String) -> HookRunResult {
        let notice = HookNotice.test(hook: hook.name, site: site, now: WallTime(nanoseconds: Clock.wall()))
        do throws(HookRefusal) {
            let process = try HookProcess(hook, message: HookMessage(notice))
            while true {
                if let result = process.advance() { return result }
                var descriptors = process.descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
                let pause = max(.zero, process.wakeUp - .now).clampedNanoseconds / 1_000_000
                _ = unsafe poll(&descriptors, nfds_t(descriptors.count), Int32(clamping: min(pause + 1, 1_000)))
            }
        } catch {
            return .refused(hook: hook.name, error.reason)
        }
    }
}
