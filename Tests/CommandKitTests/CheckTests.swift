import Control
import Model
import Testing

@testable import CommandKit

/// The monitoring-plugins contract: a check that does not know is never OK.
@Suite struct CheckTests {
    private func check(
        _ target: StatusReport.Target, warning: String? = nil, critical: String? = nil, at time: WallTime = Fixtures.now
    ) throws -> CheckResult {
        CheckResult(
            target, generated: time, warning: try warning.map { try CheckThreshold($0) } ?? CheckThreshold(),
            critical: try critical.map { try CheckThreshold($0) } ?? CheckThreshold(), clock: Fixtures.clock)
    }

    private let up = Fixtures.target(
        "gw", verdict: Fixtures.verdict(.up, minutesAgo: 90), milliseconds: [40, 40, 41, nil])

    @Test func stateGivesTheCode() throws {
        #expect(
            try check(up).line
                == "OK - gw up since 13:00, rtt 40.0 ms, loss 25 % | rtt=40ms;;;0 loss=25%;;;0;100")
        #expect(try check(Fixtures.targets[0]).code == .critical)
        #expect(try check(Fixtures.targets[1]).code == .warning)
        #expect(try check(Fixtures.targets[3]).code == .unknown)
    }

    @Test func thresholdsRaiseButNeverLower() throws {
        let warned = try check(up, warning: "30ms", critical: "100ms,60%")
        #expect(warned.code == .warning)
        #expect(warned.perfdata == "rtt=40ms;30;100;0 loss=25%;;60;0;100")
        #expect(warned.text.contains("rtt at or above 30.0 ms"))
        #expect(try check(up, warning: "10%", critical: "20%").code == .critical)
        #expect(try check(Fixtures.targets[0], warning: "900ms", critical: "900ms").code == .critical)
        #expect(try check(Fixtures.targets[1], critical: "5ms").code == .critical)
    }

    @Test func staleDataAreUnknown() throws {
        let late = try check(up, at: Fixtures.now + .seconds(61))
        #expect(late.code == .unknown)
        #expect(late.text.contains("stale: newest result is"))
        #expect(late.text.hasSuffix("rtt –, loss –"))
        #expect(late.perfdata == "rtt=U;;;0 loss=U;;;0;100")
        #expect(try check(up, at: Fixtures.now + .seconds(30)).code == .ok)
    }

    @Test func unknownFiguresAreUInPerfdata() throws {
        #expect(try check(Fixtures.targets[3]).perfdata == "rtt=U;;;0 loss=U;;;0;100")
    }

    @Test func aPipeInATextCannotForgePerfdata() throws {
        let target = Fixtures.target(
            "gw", title: "gw | rtt=1ms", verdict: Fixtures.verdict(.up, minutesAgo: 1), milliseconds: [1])
        #expect(try check(target).line.filter { $0 == "|" }.count == 1)
    }

    @Test(arguments: ["100ms,20%", "100,20%", "20%,100ms"])
    func thresholdForms(text: String) throws {
        let threshold = try CheckThreshold(text)
        #expect(threshold.rtt == .milliseconds(100))
        #expect(threshold.lossPercent == 20)
    }

    @Test(arguments: ["", ",", "100ms,", "101%", "-1%", "5%,6%", "1ms,2ms", "fast", "1,2,3", "nan%"])
    func wrongThresholds(text: String) {
        #expect(throws: CheckThreshold.Problem.self) { try CheckThreshold(text) }
    }
}
