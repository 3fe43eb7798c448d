import Alerting
import Foundation
import Model
import Testing

@Suite(.enabled(if: HookBench.isPossible, "no directory here whose parents only root or we can write"))
struct HookDeliveryTests {
    /// Writes one line a run: event, incident, attempt.
    static func recorder(_ bench: HookBench, then: String = "exit 0") -> String {
        "echo \"$TAUTLINE_EVENT $TAUTLINE_INCIDENT $TAUTLINE_ATTEMPT\" >> \(bench.path("log")); \(then)"
    }

    @Test func deliversTheRightJSONOnce() async throws {
        let bench = try HookBench()
        let delivery = try bench.delivery([try bench.hook("cat > \(bench.path("json")); \(Self.recorder(bench))")])
        try delivery.start()
        delivery.enqueue(.sample(1))
        #expect(await eventually { delivery.counters.delivered == 1 })
        delivery.stop()
        #expect(bench.lines("log") == ["firing 1 1"])
        let object = try #require(
            try JSONSerialization.jsonObject(with: Data(bench.text("json").utf8)) as? [String: Any])
        #expect(object["schema"] as? String == "tautline/hook/1")
        #expect(object["notice"] as? String == "1-firing-pager")
        #expect(object["event"] as? String == "firing")
        #expect(object["incident"] as? Int == 1)
        #expect(object["target"] as? String == "vpn1")
        #expect(object["since"] as? String == WallTime(seconds: 1_780_000_000).rfc3339)
        #expect(object["until"] is NSNull)
        #expect(object["evidence"] as? [String] == ["newest", "older"])
        #expect(object["severity"] as? String == "critical" && object["layer"] as? String == "target")
        #expect(delivery.pending == 0 && bench.spooled("pending").isEmpty)
        #expect(bench.spooled("told").count == 1)
    }

    @Test(arguments: [
        "$(reboot)", "; rm -rf /", "two\nlines\r\nSubject: x", "\u{1B}]0;owned\u{7}", "null\0byte", "'\"\\`|&<>*?~!#",
        String(repeating: "ä", count: 32_768), "\u{202E}abc\u{2028}", "{\"json\": [1]}",
    ])
    func hostileTextIsExactInJSONAndHarmlessInTheEnvironment(text: String) async throws {
        let bench = try HookBench()
        let body = "cat > \(bench.path("json")); printf '%s' \"$TAUTLINE_TITLE\" > \(bench.path("title"))"
        let delivery = try bench.delivery([try bench.hook(body)])
        try delivery.start()
        delivery.enqueue(.sample(1, title: text, reason: text))
        #expect(await eventually { delivery.counters.delivered == 1 })
        delivery.stop()
        let object = try #require(
            try JSONSerialization.jsonObject(with: Data(bench.text("json").utf8)) as? [String: Any])
        #expect(object["title"] as? String == text)
        #expect(object["reason"] as? String == text)
        let title = bench.text("title")
        #expect(title.utf8.count <= 1_024)
        #expect(!title.unicodeScalars.contains { $0.value < 0x20 || (0x7F..<0xA0).contains($0.value) })
        let expected = String(
            String.UnicodeScalarView(
                text.unicodeScalars.filter { $0.value >= 0x20 && !(0x7F..<0xA0).contains($0.value) }))
        #expect(expected.hasPrefix(title) && (title == expected || expected.utf8.count > 1_024))
    }

    @Test func failureIsRepeatedUntilItSucceeds() async throws {
        let bench = try HookBench()
        let body = Self.recorder(bench, then: "[ $(wc -l < \(bench.path("log"))) -ge 3 ]")
        let delivery = try bench.delivery([try bench.hook(body, attempts: 8)])
        try delivery.start()
        delivery.enqueue(.sample(1))
        #expect(await eventually { delivery.counters.delivered == 1 })
        delivery.stop()
        #expect(bench.lines("log") == ["firing 1 1", "firing 1 2", "firing 1 3"])
        #expect(delivery.counters.retried == 2 && delivery.counters.failed == 0)
    }

    @Test func givenUpIsKeptCountedAndReported() async throws {
        let bench = try HookBench()
        let delivery = try bench.delivery([
            try bench.hook(Self.recorder(bench, then: "echo broken; exit 1"), attempts: 2)
        ])
        try delivery.start()
        delivery.enqueue(.sample(1))
        #expect(await eventually { delivery.counters.failed == 1 })
        // The hook did run: it may have told someone, so it hears of the closing too.
        delivery.enqueue(.sample(1, .resolved))
        #expect(await eventually { delivery.counters.failed == 2 })
        delivery.stop()
        #expect(bench.lines("log") == ["firing 1 1", "firing 1 2", "resolved 1 1", "resolved 1 2"])
        #expect(bench.spooled("failed").count == 2 && bench.spooled("pending").isEmpty)
        #expect(delivery.counters.lastError == "hook pager: exit code 1: broken")
        #expect(
            bench.events.all.contains(
                .gaveUp(hook: "pager", notice: "1-firing-pager", attempts: 2, reason: "exit code 1: broken")))
    }

    @Test func whoMayHaveBeenToldHearsOfTheClosingWhateverEndedTheLastAttempt() async throws {
        let bench = try HookBench()
        let hook = try bench.hook(Self.recorder(bench, then: "chmod 775 \"$0\"; exit 1"), attempts: 2)
        let delivery = try bench.delivery([hook])
        try delivery.start()
        delivery.enqueue(.sample(1))
        #expect(await eventually { delivery.counters.failed == 1 })
        #expect(delivery.counters.lastError?.contains("writable by group") == true)
        _ = try bench.hook(Self.recorder(bench))
        delivery.enqueue(.sample(1, .resolved))
        #expect(await eventually { delivery.counters.delivered == 1 })
        delivery.stop()
        #expect(bench.lines("log") == ["firing 1 1", "resolved 1 1"])
    }

    @Test func givenUpIsDeliveredAgainWhereItsIncidentIsStillOpen() async throws {
        let bench = try HookBench()
        let body = Self.recorder(bench, then: "test -e \(bench.path("mended"))")
        let delivery = try bench.delivery([try bench.hook(body, attempts: 2)])
        try delivery.start()
        delivery.enqueue(.sample(1))
        delivery.enqueue(.sample(2, target: "vpn2"))
        #expect(await eventually { delivery.counters.failed == 2 })
        let unknown = await delivery.replay("9-firing-pager", open: [1, 2])
        #expect(unknown?.queued == [] && unknown?.known.sorted() == ["1-firing-pager", "2-firing-pager"])
        let over = await delivery.replay("2-firing-pager", open: [1])
        #expect(over?.over == ["2-firing-pager"] && over?.queued == [])
        try Data().write(to: URL(filePath: bench.path("mended")))
        let queued = await delivery.replay(nil, open: [1])
        #expect(queued?.queued == ["1-firing-pager"] && queued?.over == ["2-firing-pager"])
        #expect(await eventually { delivery.counters.delivered == 1 })
        #expect(bench.spooled("failed").count == 1)
        // Told at last: the closing follows, once.
        delivery.enqueue(.sample(1, .resolved))
        #expect(await eventually { delivery.counters.delivered == 2 })
        delivery.stop()
        #expect(bench.lines("log").filter { $0.hasPrefix("firing 1 ") }.count == 3)
        #expect(bench.lines("log").filter { $0.hasPrefix("resolved 1 ") }.count == 1)
        #expect(bench.lines("log").filter { $0.hasPrefix("firing 2 ") }.count == 2)
        #expect(bench.spooled("told").count == 1, "of the second, which may have been told before it failed")
    }

    @Test func resolvedFollowsItsFiringEvenWhenThatIsSlow() async throws {
        let bench = try HookBench()
        let body =
            "[ $TAUTLINE_EVENT = resolved ] || [ $TAUTLINE_ATTEMPT = 2 ] || { sleep 0.2; exit 1; }; \(Self.recorder(bench))"
        let delivery = try bench.delivery([try bench.hook(body, attempts: 8)])
        try delivery.start()
        for incident in Int64(1)...5 { delivery.enqueue(.sample(incident)) }
        #expect(await eventually(30) { delivery.counters.retried == 5 })
        for incident in Int64(1)...5 { delivery.enqueue(.sample(incident, .resolved)) }
        #expect(await eventually(30) { delivery.pending == 0 })
        delivery.stop()
        for incident in 1...5 {
            let own = bench.lines("log").filter { $0.contains(" \(incident) ") }.map { $0.split(separator: " ")[0] }
            #expect(own == ["firing", "resolved"], "incident \(incident)")
        }
        #expect(bench.spooled("told").isEmpty && delivery.counters.owed == 0)
    }

    @Test func whatClosedBeforeAnyoneWasToldNeedsNoDelivery() async throws {
        let bench = try HookBench()
        let delivery = try bench.delivery([try bench.hook(Self.recorder(bench))])
        delivery.enqueue(.sample(1))
        delivery.enqueue(.sample(2))
        delivery.enqueue(.sample(1, .resolved))
        // And a closing whose opening this hook never saw.
        delivery.enqueue(.sample(9, .resolved))
        try delivery.start()
        #expect(await eventually { delivery.counters.delivered == 1 && delivery.pending == 0 })
        delivery.stop()
        #expect(bench.lines("log") == ["firing 2 1"])
        #expect(delivery.counters.superseded == 3)
    }

    @Test func spoolSurvivesARestartAndNothingIsToldTwice() async throws {
        let bench = try HookBench()
        let hook = try bench.hook(Self.recorder(bench))
        let first = try bench.delivery([hook])
        for incident in Int64(1)...20 { first.enqueue(.sample(incident)) }
        first.stop()
        #expect(bench.spooled("pending").count == 20)
        // A file that a crash left half-written, and one that is no notice.
        try Data("{".utf8).write(to: URL(filePath: bench.path("spool/pending/.00000000000000000099.json")))
        try Data("{".utf8).write(to: URL(filePath: bench.path("spool/pending/00000000000000000098.json")))

        let second = try bench.delivery([hook])
        try second.start()
        #expect(await eventually(30) { second.pending == 0 && second.counters.delivered == 20 })
        // The engine announces open incidents anew after a restart.
        second.enqueue(.sample(3))
        #expect(await eventually { second.counters.superseded == 1 })
        second.stop()
        #expect(bench.lines("log").count == 20)
        #expect(Set(bench.lines("log")).count == 20)
        #expect(bench.spooled("pending") == ["00000000000000000098.json.bad"])

        let third = try bench.delivery([hook])
        try third.start()
        // Incident 3 is all that is still open: the closings of the others were never spooled, and are owed.
        third.reconcile(open: [3])
        #expect(await eventually(30) { third.counters.delivered == 19 })
        third.stop()
        let closed = bench.lines("log").filter { $0.hasPrefix("resolved") }
        #expect(closed.count == 19 && !closed.contains { $0.hasPrefix("resolved 3 ") })
        #expect(bench.spooled("told").count == 1)
    }

    @Test func stopInterruptsARunAndKeepsItsNotice() async throws {
        let bench = try HookBench()
        let delivery = try bench.delivery([
            try bench.hook("\(Self.recorder(bench)) & sleep 1000", timeout: .seconds(600))
        ])
        try delivery.start()
        delivery.enqueue(.sample(1))
        #expect(await eventually { delivery.counters.running == 1 && !bench.lines("log").isEmpty })
        let began = ContinuousClock.now
        delivery.stop()
        #expect(ContinuousClock.now - began < .seconds(3))
        #expect(bench.spooled("pending").count == 1)
        let again = try bench.delivery([try bench.hook(Self.recorder(bench))])
        try again.start()
        #expect(await eventually { again.counters.delivered == 1 })
        again.stop()
        #expect(bench.lines("log").last == "firing 1 2")
    }

    @Test func aCrashDuringARunRepeatsItWithTheSameNotice() async throws {
        let bench = try HookBench()
        let body =
            "echo \"$TAUTLINE_NOTICE $TAUTLINE_ATTEMPT\" >> \(bench.path("log")); [ $TAUTLINE_NOTICE$TAUTLINE_ATTEMPT != 1-firing-pager1 ] || sleep 1000"
        let hook = try bench.hook(body, timeout: .seconds(600))
        let delivery = try bench.delivery([hook])
        try delivery.start()
        delivery.enqueue(.sample(1))
        #expect(await eventually { bench.lines("log") == ["1-firing-pager 1"] })
        // What a kill -9 at this moment leaves on the disk.
        try FileManager.default.copyItem(atPath: bench.path("spool"), toPath: bench.path("crashed"))
        delivery.stop()
        let restarted = try HookDelivery(directory: bench.path("crashed"), hooks: [hook])
        // The run may have told someone, so the closing is owed although no run ever ended.
        restarted.enqueue(.sample(1, .resolved))
        try restarted.start()
        #expect(await eventually { restarted.counters.delivered == 2 })
        restarted.stop()
        #expect(bench.lines("log") == ["1-firing-pager 1", "1-firing-pager 2", "1-resolved-pager 1"])
    }

    @Test func neverMoreThanFourAtOnce() async throws {
        let bench = try HookBench()
        let body =
            "mkdir \(bench.path("run"))-$TAUTLINE_INCIDENT; ls -d \(bench.path("run"))-* | wc -l >> \(bench.path("log")); sleep 0.2; rmdir \(bench.path("run"))-$TAUTLINE_INCIDENT"
        let hooks = try ["a", "b", "c"].map { try bench.hook(body, name: $0) }
        let delivery = try bench.delivery(hooks)
        for incident in Int64(1)...12 { delivery.enqueue(.sample(incident, hook: ["a", "b", "c"][Int(incident) % 3])) }
        try delivery.start()
        #expect(await eventually(30) { delivery.counters.delivered == 12 })
        delivery.stop()
        let seen = bench.lines("log").compactMap { Int($0.trimmingCharacters(in: .whitespaces)) }
        #expect(seen.count == 12 && (seen.max() ?? 9) <= 4 && (seen.max() ?? 0) >= 2)
    }

    @Test func spoolIsBoundedAndDropsAreCounted() throws {
        let bench = try HookBench()
        var limits = HookLimits()
        limits.pending = 10
        let delivery = try bench.delivery([try bench.hook("exit 0")], limits: limits)
        for incident in Int64(1)...25 { delivery.enqueue(.sample(incident)) }
        delivery.stop()
        #expect(bench.spooled("pending").count == 10)
        #expect(delivery.counters.dropped == 15)
        #expect(bench.events.all.count { $0.isFailure } == 15)
    }

    @Test func noticesForAHookThatIsGoneAreDroppedAndCounted() async throws {
        let bench = try HookBench()
        let delivery = try bench.delivery([])
        try delivery.start()
        delivery.enqueue(.sample(1))
        #expect(await eventually { delivery.counters.dropped == 1 })
        #expect(await delivery.test(hook: "pager").ending == .refused("no hook of this name is configured"))
        delivery.update(hooks: [try bench.hook(Self.recorder(bench))], site: "lab")
        #expect(await delivery.test(hook: "pager").isDelivered)
        delivery.stop()
        #expect(bench.lines("log") == ["test  1"])
        #expect(await delivery.test(hook: "pager").isDelivered == false)
    }

    @Test func enqueueDoesNotWaitForAHook() async throws {
        let bench = try HookBench()
        let delivery = try bench.delivery([try bench.hook("sleep 1000", timeout: .seconds(600))])
        try delivery.start()
        let began = ContinuousClock.now
        for incident in Int64(1)...500 { delivery.enqueue(.sample(incident)) }
        #expect(ContinuousClock.now - began < .seconds(1))
        delivery.stop()
        #expect(bench.spooled("pending").count == 500)
    }
}
