import Control
import Model

@testable import CommandKit

extension Fixtures {
    /// The state a moment after an answer of the fixtures' daemon.
    static func watch(
        _ columns: Int, _ rows: Int, report: StatusReport = Fixtures.report, note: String? = nil, seconds: Int64 = 1
    ) -> WatchState {
        var state = WatchState(size: TerminalSize(columns: columns, rows: rows))
        state.now = (100 + seconds) * 1_000_000_000
        state.take(.answer(WatchAnswer(report: report, note: note, received: 100_000_000_000)))
        return state
    }

    static func picture(_ state: inout WatchState, palette: Palette = .plain) -> [String] {
        WatchRenderer(palette: palette, clock: clock).lines(&state)
    }

    static var detail: WatchDetail {
        var detail = WatchDetail(target: "vpn-west", history: history)
        detail.failures = [
            WatchDetail.Failure(time: now - .seconds(5), probe: "icmp", outcome: "lost"),
            WatchDetail.Failure(
                time: now - .seconds(15), probe: "icmp", outcome: "error", detail: "host-unreachable",
                note: "from 192.0.2.254"),
        ]
        detail.transitions = [
            Transition(
                target: id("vpn-west"), from: .up,
                verdict: verdict(.down, minutesAgo: 27, "no answer to icmp", layer: .target))
        ]
        detail.passive = Array(FlowsFixture.report.rows.prefix(1))
        return detail
    }

    /// As many targets as asked for, all up.
    static func many(_ count: Int) -> StatusReport {
        StatusReport(
            generated: now, daemon: daemon,
            targets: (0..<count).map { index in
                target(
                    "host-\(index)", kind: .host, verdict: verdict(.up, minutesAgo: 5),
                    milliseconds: [Double(1 + (index * 7) % 50), 2])
            }, timeZone: zone)
    }

    @discardableResult
    static func press(_ text: String, _ state: inout WatchState) -> WatchState.Effect {
        var effect = WatchState.Effect.none
        for character in text { effect = state.handle(.character(character)) }
        return effect
    }
}
