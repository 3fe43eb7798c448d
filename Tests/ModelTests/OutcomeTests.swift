import Model
import Testing

@Suite struct OutcomeTests {
    private static let rtt = Duration.milliseconds(30)
    private static let all: [(outcome: Outcome, name: String, standing: Outcome.Standing, rtt: Duration?)] = [
        (.ok(rtt: rtt), "ok", .answered, rtt), (.ok(rtt: nil), "ok", .answered, nil), (.lost, "lost", .failed, nil),
        (.late(rtt: rtt), "late", .answered, rtt), (.refused(rtt: rtt), "refused", .failed, nil),
        (.error(.hostUnreachable), "error", .failed, nil), (.unresolved, "unresolved", .unknown, nil),
        (.indeterminate(.clockStep), "indeterminate", .unknown, nil),
    ]

    @Test func namesStandingsAndTimes() {
        for (outcome, name, standing, rtt) in Self.all {
            #expect(outcome.name == name)
            #expect(outcome.standing == standing)
            #expect(outcome.rtt == rtt)
        }
    }

    @Test func onlyErrorsAndIndeterminatesHaveADetail() {
        #expect(Outcome.error(.packetTooBig).detail == "packet-too-big")
        #expect(Outcome.indeterminate(.linkDown).detail == "own-link-down")
        #expect(Self.all.count { $0.outcome.detail != nil } == 2)
    }

    @Test(arguments: IndeterminateReason.allCases) func ourOwnTroubleNeverCounts(reason: IndeterminateReason) {
        #expect(Outcome.indeterminate(reason).standing == .unknown)
        #expect(Outcome.indeterminate(reason).rtt == nil)
    }

    /// Other programs and the database rely on these names.
    @Test func namesAreOnceAndForAll() {
        #expect(
            ErrorClass.allCases.map(\.rawValue) == [
                "network-unreachable", "host-unreachable", "protocol-unreachable", "port-unreachable", "prohibited",
                "time-exceeded", "packet-too-big", "parameter-problem", "reset", "link-down", "unexpected-rcode",
                "unexpected-answer", "malformed", "other",
            ])
        #expect(MeasurementSource.allCases.map(\.rawValue) == ["kernel", "user", "tcp_info"])
    }

    private func round(_ outcomes: [Outcome]) throws -> Round {
        let target = try #require(TargetID(rawValue: "t"))
        let results = outcomes.enumerated().map { index, outcome in
            ProbeResult(
                sent: WallTime(seconds: 0), sequence: UInt32(index), outcome: outcome, source: .kernel)
        }
        return Round(
            series: SeriesKey(target: target, probe: "icmp", address: nil), kind: .icmp,
            scheduled: WallTime(seconds: 0), finished: MonotonicTime(nanoseconds: 0), results: results)
    }

    @Test(
        arguments: [
            ([.lost, .ok(rtt: rtt), .lost], .answered), ([.lost, .late(rtt: rtt)], .answered),
            ([.lost, .lost], .failed),
            ([.indeterminate(.noRoute), .lost], .failed), ([.indeterminate(.noRoute), .unresolved], .unknown),
            ([], .unknown),
            ([.indeterminate(.noRoute), .ok(rtt: nil)], .answered), ([.refused(rtt: nil)], .failed),
        ] as [([Outcome], Outcome.Standing)])
    func aRoundIsAnsweredIfAnyPacketWas(outcomes: [Outcome], expected: Outcome.Standing) throws {
        #expect(try round(outcomes).standing == expected)
    }
}
