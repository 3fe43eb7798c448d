import Capturing
import Model
import Testing

@testable import DaemonKit

@Suite struct CaptureHealthTests {
    private let noon = WallTime(seconds: 1_700_000_000)

    @Test func whatAilsASourceIsToldAndForgotten() {
        let health = CaptureHealth()
        func condition() -> [String] {
            let condition = health.condition(of: "eth0")
            return [condition.isRunning ? "running" : "lost", condition.problem ?? "-"]
        }
        #expect(condition() == ["running", "-"])
        health.take(.shedding(oneIn: 4), interface: "eth0")
        #expect(condition() == ["running", "one flow of 4 is measured, since the kernel kept dropping packets"])
        health.take(.lost("the interface does not exist"), interface: "eth0")
        #expect(condition() == ["lost", "the interface does not exist"])
        health.take(.resumed, interface: "eth0")
        health.take(.shedding(oneIn: 1), interface: "eth0")
        #expect(condition() == ["running", "-"])
        #expect(health.condition(of: "eth1").isRunning)
    }

    @Test func sheddingIsAnEvent() {
        let begun = MonitorEvent(.shedding(oneIn: 2), interface: "any", at: noon)
        #expect(begun.kind == .captureShedding)
        #expect(begun.text == "capture on any measures one flow of 2, since the kernel kept dropping packets")
        let ended = MonitorEvent(.shedding(oneIn: 1), interface: "any", at: noon)
        #expect(ended.text == "capture on any measures every flow again")
    }

    @Test func theWindowAddsUpWhatWasMissed() {
        var window = PassiveWindow()
        for step in 0..<4 {
            var summary = PassiveSummary(
                source: step % 2 == 0 ? "b" : "a", start: noon + .seconds(step * 10),
                end: noon + .seconds(step * 10 + 10))
            summary.loss.kernelDrops = 5
            summary.loss.gaps = UInt64(step)
            window.add(summary)
        }
        let losses = window.losses()
        #expect(losses.map(\.source) == ["a", "b"])
        #expect(losses.map(\.loss.kernelDrops) == [10, 10])
        #expect(losses.map(\.loss.gaps) == [4, 2])
        // The running interval is shown beside the window until it is in it.
        let running = PassiveSummary(source: "a", start: noon + .seconds(40), end: noon + .seconds(41))
        #expect(!window.hasEnded(running))
        window.add(PassiveSummary(source: "a", start: noon + .seconds(40), end: noon + .seconds(50)))
        #expect(window.hasEnded(running))
    }
}
