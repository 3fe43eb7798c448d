import CLinux
import TestSupport
import Testing

@testable import LinuxSystem

@Suite struct ServiceNotifierTests {
    @Test(arguments: ["@taut-test-\(getpid())", "/tmp/taut-notify-\(getpid()).sock"])
    func speaksTheProtocol(_ path: String) throws {
        let manager = try ServiceManager(path: path)
        let notifier = try ServiceNotifier(environment: ["NOTIFY_SOCKET": path])
        #expect(notifier.isEnabled)
        #expect(notifier.ready(status: "12 targets"))
        #expect(manager.next() == "READY=1\nSTATUS=12 targets")
        #expect(notifier.watchdog())
        #expect(manager.next() == "WATCHDOG=1")
        #expect(notifier.reloading(now: 5_000_123_456))
        #expect(manager.next() == "RELOADING=1\nMONOTONIC_USEC=5000123")
        // A newline would be an assignment of its own.
        #expect(notifier.status("a\nMAINPID=1\u{7f}b"))
        #expect(manager.next() == "STATUS=a MAINPID=1 b")
        #expect(notifier.stopping())
        #expect(manager.next() == "STOPPING=1")
    }

    @Test func doesNothingWithoutAManager() throws {
        let notifier = try ServiceNotifier(environment: [:])
        #expect(!notifier.isEnabled)
        #expect(notifier.watchdogInterval == nil)
        #expect(notifier.ready())
    }

    @Test func saysThatTheManagerIsGone() throws {
        let notifier = try ServiceNotifier(environment: ["NOTIFY_SOCKET": "@taut-nobody-\(getpid())"])
        #expect(!notifier.watchdog())
    }

    @Test func refusesASocketThatItCannotReach() {
        for path in ["relative/path", "vsock:2:99", "/" + String(repeating: "x", count: 200)] {
            #expect(throws: SystemError.self) { try ServiceNotifier(environment: ["NOTIFY_SOCKET": path]) }
        }
    }

    @Test func theWatchdogIsForThePidThatItNames() throws {
        func interval(_ environment: [String: String]) throws -> Int64? {
            try ServiceNotifier(environment: environment, pid: 77).watchdogInterval
        }
        #expect(try interval(["WATCHDOG_USEC": "30000000"]) == 30_000_000_000)
        #expect(try interval(["WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "77"]) == 30_000_000_000)
        #expect(try interval(["WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "78"]) == nil)
        #expect(try interval(["WATCHDOG_USEC": "0"]) == nil)
        #expect(try interval(["WATCHDOG_USEC": "-1"]) == nil)
        #expect(try interval(["WATCHDOG_USEC": "9223372036854775807"]) == nil)
        #expect(try interval(["WATCHDOG_USEC": "soon"]) == nil)
    }
}

@Suite struct StateLockTests {
    @Test func theSecondIsToldOfTheFirst() throws {
        let path = "/tmp/taut-lock-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        defer { unlink(path) }
        do {
            let first = try StateLock.acquire(path: path)
            #expect(throws: StateLockError.held(pid: getpid())) { try StateLock.acquire(path: path) }
            withExtendedLifetime(first) {}
        }
        // Free again with the value; the file stays.
        _ = try StateLock.acquire(path: path)
    }

    @Test func aLinkIsNotFollowed() throws {
        let path = "/tmp/taut-lock-link-\(getpid())"
        symlink("/tmp/taut-lock-elsewhere-\(getpid())", path)
        defer { unlink(path) }
        #expect(throws: StateLockError.system(SystemError(call: "open", errno: ELOOP, context: path))) {
            try StateLock.acquire(path: path)
        }
    }

    @Test func saysThatThereIsNoDirectory() {
        #expect(throws: StateLockError.self) { try StateLock.acquire(path: "/nonexistent/lock") }
    }
}

@Suite struct UnixAddressTests {
    @Test func boundsThePath() {
        #expect(UnixAddress(path: "") == nil)
        #expect(UnixAddress(path: String(repeating: "x", count: 107)) != nil)
        #expect(UnixAddress(path: String(repeating: "x", count: 108)) == nil)
        #expect(UnixAddress(path: "/tmp/a\0b") == nil)
        #expect(UnixAddress(bytes: [0, 65])?.description == "@A")
    }
}
