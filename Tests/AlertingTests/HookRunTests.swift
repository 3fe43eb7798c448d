import Alerting
import Foundation
import Glibc
import Model
import Testing

/// One run of a hook: what it is given, what it may do, and how it ends.
@Suite(.enabled(if: HookBench.isPossible, "no directory here whose parents only root or we can write"))
struct HookRunTests {
    private func run(_ hook: HookSpec) async -> HookRunResult { await HookDelivery.test(hook: hook, site: "lab") }

    @Test func exitZeroIsDeliveryAndOutputIsKept() async throws {
        let bench = try HookBench()
        let good = await run(try bench.hook("echo out; echo err >&2"))
        #expect(good.isDelivered)
        #expect(String(decoding: good.output, as: UTF8.self) == "out\nerr\n")
        let bad = await run(try bench.hook("echo 'no route'; exit 3"))
        #expect(bad.ending == .exited(code: 3))
        #expect(bad.text == "exit code 3: no route")
    }

    @Test func hangingHookIsEndedWithItsGroup() async throws {
        let bench = try HookBench()
        let hook = try bench.hook(
            "sleep 1000 & echo $! > \(bench.path("child")); sleep 1000", timeout: .milliseconds(300))
        let result = await run(hook)
        #expect(result.ending == .timedOut)
        #expect(result.duration < .seconds(4))
        let child = try #require(Int32(bench.text("child").trimmingCharacters(in: .whitespacesAndNewlines)))
        #expect(await eventually { isGone(child) })
    }

    @Test func hookThatIgnoresTermIsKilledFiveSecondsLater() async throws {
        let bench = try HookBench()
        let result = await run(try bench.hook("trap '' TERM; while :; do sleep 1; done", timeout: .milliseconds(200)))
        #expect(result.ending == .timedOut)
        #expect(result.duration > .seconds(5) && result.duration < .seconds(8))
    }

    @Test func daemonsThatAHookForksDoNotStay() async throws {
        let bench = try HookBench()
        let file = bench.path("pids")
        let hook = try bench.hook(
            "(sleep 1000 & echo $! >> \(file)); setsid sh -c 'echo $$ >> \(file); exec sleep 1000' >/dev/null 2>&1 & sleep 0.3; exit 0"
        )
        let result = await run(hook)
        #expect(result.isDelivered)
        let pids = bench.lines("pids").compactMap { Int32($0) }
        #expect(pids.count == 2)
        for pid in pids { #expect(await eventually { isGone(pid) }, "\(pid) is left behind") }
    }

    @Test func aGigabyteOfOutputIsReadAndThrownAway() async throws {
        let bench = try HookBench()
        let before = residentKilobytes()
        let result = await run(try bench.hook("yes | head -c 1000000000", timeout: .seconds(60)))
        #expect(result.isDelivered)
        #expect(result.output.count == 65_536)
        #expect(result.discarded == 1_000_000_000 - 65_536)
        // Other tests of the process grow meanwhile; a gigabyte that was kept would show all the same.
        #expect(residentKilobytes() - before < 900_000)
    }

    @Test func refusesWhatOthersCouldHavePutThere() async throws {
        let bench = try HookBench()
        func refusal(_ path: String) async -> String {
            let result = await run(HookSpec(name: "x", command: [path]))
            guard case .refused(let reason) = result.ending else { return "was run: \(result.text)" }
            return reason
        }
        let good = try bench.script("good", "exit 0")
        try FileManager.default.createSymbolicLink(atPath: bench.path("link"), withDestinationPath: good)
        #expect(await refusal(bench.path("link")).hasSuffix("is a symbolic link"))
        #expect(
            await refusal(try bench.script("group", "exit 0", mode: 0o775)).hasSuffix("is writable by group or others"))
        #expect(
            await refusal(try bench.script("world", "exit 0", mode: 0o757)).hasSuffix("is writable by group or others"))
        #expect(await refusal(try bench.script("plain", "exit 0", mode: 0o644)).hasSuffix("is not executable"))
        #expect(await refusal(bench.path("missing")).hasSuffix("No such file or directory"))
        #expect(await refusal(bench.directory).hasSuffix("is not a regular file"))
        #expect(await refusal("good").hasSuffix("not an absolute path"))
        #expect(await refusal("\(bench.directory)/../x").contains(".."))
        try FileManager.default.createDirectory(
            atPath: bench.path("open"), withIntermediateDirectories: false)
        let inOpen = try bench.script("open/hook", "exit 0")
        chmod(bench.path("open"), 0o777)
        #expect(await refusal(inOpen).hasSuffix("open: is writable by group or others"))
        if geteuid() == 0 {
            let foreign = try bench.script("foreign", "exit 0")
            chown(foreign, 12_345, 12_345)
            #expect(await refusal(foreign).contains("owned by user 12345"))
        }
        #expect(SafePath.refusal("/usr/bin/env") == nil)
    }

    @Test func notAProgramIsRefusedWithTheReason() async throws {
        let bench = try HookBench()
        let file = bench.path("binary")
        try Data([0x7F, 0x45, 0x4C, 0x46, 0, 0]).write(to: URL(filePath: file))
        chmod(file, 0o755)
        let result = await run(HookSpec(name: "x", command: [file]))
        #expect(result.text.contains("Exec format error"))
    }

    @Test func inheritsNothing() async throws {
        let bench = try HookBench()
        // Descriptors that a careless child would inherit, one of them without close-on-exec.
        let leak = open("/dev/null", O_RDONLY)
        let high = fcntl(leak, F_DUPFD, 200)
        defer {
            close(leak)
            close(high)
        }
        let out = bench.path("out")
        let result = await run(
            try bench.hook(
                "exec > \(out); ls /proc/$$/fd; grep -E '^(Cap|Sig|NoNew)' /proc/self/status; pwd; ps -o pid=,pgid=,sid= -p $$ 2>/dev/null || cut -d' ' -f1,5,6 /proc/$$/stat; umask"
            ))
        #expect(result.isDelivered)
        let lines = bench.lines("out")
        let descriptors = Set(lines.compactMap { Int($0) }.filter { $0 < 1_000 })
        // 0 to 2, and what dash itself opens at 10 and above for the script.
        #expect(descriptors.isSuperset(of: [0, 1, 2]))
        #expect(!descriptors.contains(Int(high)) && descriptors.isDisjoint(with: 3...9), "\(descriptors)")
        for name in ["CapInh", "CapPrm", "CapEff", "CapAmb", "SigBlk", "SigIgn"] {
            #expect(lines.contains("\(name):\t0000000000000000"), "\(name) in \(lines)")
        }
        #expect(lines.contains("NoNewPrivs:\t1"))
        #expect(lines.contains("/"))
    }

    @Test func environmentIsBuiltFromNothing() async throws {
        let bench = try HookBench()
        setenv("TAUTLINE_SECRET_OF_THE_DAEMON", "x", 1)
        defer { unsetenv("TAUTLINE_SECRET_OF_THE_DAEMON") }
        var hook = try bench.hook("env > \(bench.path("env"))")
        hook.environment = ["MAIL_TO": "noc@example.com"]
        #expect(await run(hook).isDelivered)
        let names = Set(bench.lines("env").compactMap { $0.split(separator: "=").first.map(String.init) })
        let own = [
            "SCHEMA", "NOTICE", "EVENT", "ATTEMPT", "HOOK", "INCIDENT", "RULE", "TARGET", "TITLE", "STATE", "SEVERITY",
            "REASON", "SITE", "SINCE", "UNTIL", "LAYER", "RUN",
        ].map { "TAUTLINE_\($0)" }
        // PWD, SHLVL and _ are the shell's own.
        #expect(names.subtracting(["PWD", "SHLVL", "_", "OLDPWD"]) == Set(own + ["PATH", "LANG", "HOME", "MAIL_TO"]))
        #expect(bench.lines("env").contains("TAUTLINE_EVENT=test"))
        #expect(bench.lines("env").contains("LANG=C.UTF-8"))
    }

    @Test func argumentsAreTheConfiguredOnes() async throws {
        let bench = try HookBench()
        let file = try bench.script("argv", "for a in \"$@\"; do printf '%s\\n' \"$a\"; done > \(bench.path("out"))")
        let result = await run(HookSpec(name: "x", command: [file, "$(reboot)", "a b", ";", "*"]))
        #expect(result.isDelivered)
        #expect(bench.lines("out") == ["$(reboot)", "a b", ";", "*"])
    }
}

func isGone(_ pid: Int32) -> Bool {
    guard let status = FileManager.default.contents(atPath: "/proc/\(pid)/status") else { return true }
    return String(decoding: status, as: UTF8.self).contains("State:\tZ")
}

func residentKilobytes() -> Int {
    let status = String(decoding: FileManager.default.contents(atPath: "/proc/self/status") ?? Data(), as: UTF8.self)
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
    return line.flatMap { Int($0.split(separator: " ").dropLast().last ?? "") } ?? 0
}
