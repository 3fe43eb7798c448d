import Model
import Testing

@Suite struct VerdictTests {
    @Test func worseIsGreater() {
        #expect(TargetState.allCases.sorted() == [.up, .unknown, .degraded, .down])
        #expect([TargetState.up, .down, .unknown].max() == .down)
        #expect([TargetState.up, .unknown].max() == .unknown)
        #expect(!(TargetState.up < .up))
    }

    @Test func severitiesAreOrdered() {
        #expect(Severity.allCases.shuffled().sorted() == [.info, .warning, .critical])
        #expect(!(Severity.critical < .critical))
    }

    /// Other programs and the database rely on these names.
    @Test func namesAreOnceAndForAll() {
        #expect(TargetState.allCases.map(\.rawValue) == ["up", "degraded", "unknown", "down"])
        #expect(
            FaultLayer.allCases.map(\.rawValue) == [
                "monitor", "link", "gateway", "uplink", "resolver", "path", "target", "service",
            ])
        #expect(MonitorEvent.Kind.uncleanStop.rawValue == "unclean-stop")
        #expect(MonitorEvent.Kind(rawValue: "reload-refused") == .reloadRefused)
        #expect(TargetKind.allCases.map(\.rawValue) == ["interface", "gateway", "resolver", "vpn", "saas", "host"])
        #expect(PassiveKind.allCases.map(\.rawValue).prefix(2) == ["tcp_handshake", "tcp_data"])
    }
}
