import Alerting
import Model
import Testing

@Suite struct AlertEngineTests {
    private func world(_ rules: [AlertRule], _ spec: TargetSpec = Make.target("a"), fate: @escaping (Int) -> Fate)
        -> Simulation
    {
        Simulation([spec], rules: rules) { _, _, at in fate(at) }
    }

    private func events(_ world: Simulation) -> [String] { world.notices.map { "\($0.1.event) \($0.1.rule)" } }

    @Test func lossNeedsItsRoundsAndClearsBelowTheLowerLimit() {
        let rule = AlertRule(
            name: "loss", condition: .loss(above: 0.1, clear: 0.05), needed: 2, of: 10, severity: .warning,
            hooks: ["pager"])
        // One loss in ten is not above ten percent; three are; the window must be clean again to clear.
        let lost = [5_000, 30_000, 33_000, 36_000]
        var world = world([rule]) { lost.contains($0) ? .silent : .answers(milliseconds: 20) }
        world.run(to: 35_500)
        #expect(events(world) == ["firing loss"])
        #expect(world.notices.first?.1.reason == "loses 20.0 % of icmp over 10 rounds (limit 10.0 %)")
        world.run(to: 45_000)
        #expect(world.notices.count == 1)
        world.run(to: 60_000)
        #expect(events(world) == ["firing loss", "resolved loss"])
    }

    @Test func aCutDoesNotAlsoPageForLoss() {
        let loss = AlertRule(name: "loss", condition: .loss(above: 0.1, clear: 0.05), of: 5, hooks: ["pager"])
        var world = world([Simulation.downRule, loss]) {
            (20_000..<40_000).contains($0) ? .silent : .answers(milliseconds: 20)
        }
        world.run(to: 80_000)
        #expect(events(world) == ["firing down", "resolved down"])
    }

    @Test func rttPercentileHoldsAndClears() {
        let rule = AlertRule(
            name: "slow", condition: .rtt(percentile: 95, above: .milliseconds(100), clear: .milliseconds(80)),
            needed: 3,
            of: 5, hold: .seconds(10), hooks: ["pager"])
        var world = world([rule]) {
            // A spike of five rounds is shorter than the hold; the second stretch is not; 90 ms does not clear.
            (20_000..<25_000).contains($0)
                ? .answers(milliseconds: 200)
                : (60_000..<90_000).contains($0)
                    ? .answers(milliseconds: 150)
                    : (90_000..<120_000).contains($0) ? .answers(milliseconds: 90) : .answers(milliseconds: 40)
        }
        world.run(to: 59_000)
        #expect(world.notices.isEmpty)
        world.run(to: 119_000)
        #expect(events(world) == ["firing slow"])
        #expect(world.notices.first?.1.reason == "p95 RTT 150.0 ms by icmp over 5 rounds (limit 100.0 ms)")
        #expect((72_000...74_000).contains(world.notices[0].at))
        world.run(to: 150_000)
        #expect(events(world) == ["firing slow", "resolved slow"])
        #expect(world.notices[1].at >= 134_000)
    }

    @Test func holdDelaysAndShortOutagesStaySilent() {
        var rule = Simulation.downRule
        rule.hold = .seconds(20)
        var world = world([rule]) {
            (10_000..<20_000).contains($0) || (50_000..<90_000).contains($0) ? .silent : .answers(milliseconds: 20)
        }
        world.run(to: 140_000)
        #expect(events(world) == ["firing down", "resolved down"])
        // Down is known at 53 s; the clearance of 91 s must last as well.
        #expect((73_000...75_000).contains(world.notices[0].at))
        #expect((111_000...113_000).contains(world.notices[1].at))
        #expect(world.notices[0].1.since == world.wall(50_000))
    }

    @Test func unknownNeitherOpensNorClosesADownIncident() {
        var world = world([Simulation.downRule]) {
            $0 < 10_000
                ? .answers(milliseconds: 5)
                : $0 < 20_000 ? .silent : $0 < 40_000 ? .unresolved : .answers(milliseconds: 5)
        }
        world.run(to: 39_000)
        #expect(world.judge.state(of: TargetID("a")) == .unknown)
        #expect(events(world) == ["firing down"])
        world.run(to: 50_000)
        #expect(events(world) == ["firing down", "resolved down"])
    }

    @Test func rulesOnUnknownAndDegraded() {
        let unknown = AlertRule(
            name: "blind", condition: .state(.unknown), hold: .seconds(5), severity: .info, hooks: ["pager"])
        let degraded = AlertRule(name: "poor", condition: .state(.degraded), severity: .warning, hooks: ["pager"])
        var spec = Make.target("a")
        spec.judgement.degradedRTT = .milliseconds(100)
        var world = world([unknown, degraded], spec) {
            (20_000..<40_000).contains($0)
                ? .unresolved
                : (60_000..<80_000).contains($0) ? .answers(milliseconds: 200) : .answers(milliseconds: 20)
        }
        world.run(to: 120_000)
        #expect(events(world) == ["firing blind", "resolved blind", "firing poor", "resolved poor"])
    }

    @Test func whatIsMeasuredForTheFirstTimeIsNoUnknownToBeToldOf() {
        let unknown = AlertRule(name: "blind", condition: .state(.unknown), hooks: ["pager"])
        var dead = world([unknown, Simulation.downRule]) { _ in .silent }
        dead.run(to: 20_000)
        #expect(events(dead) == ["firing down"])
        var unresolved = world([unknown, Simulation.downRule]) { _ in .unresolved }
        unresolved.run(to: 20_000)
        #expect(events(unresolved) == ["firing blind"])
    }

    @Test func globsAndKindsChooseTargets() {
        func rules(_ targets: [String], _ kinds: [TargetKind] = []) -> [AlertRule] {
            [AlertRule(name: "down", condition: .state(.down), hooks: ["pager"], targets: targets, kinds: kinds)]
        }
        let specs = [
            Make.target("vpn-ffm"), Make.target("vpn-ber"), Make.target("crm", .saas), Make.target("eth0", .interface),
        ]
        func paged(_ rules: [AlertRule]) -> [String] {
            var world = Simulation(specs, rules: rules) { _, _, at in at < 5_000 ? .answers(milliseconds: 5) : .refuses
            }
            world.run(to: 12_000)
            return world.notices.compactMap { $0.1.target?.rawValue }.sorted()
        }
        #expect(paged(rules([])) == ["crm", "vpn-ber", "vpn-ffm"])
        #expect(paged(rules(["vpn-*"])) == ["vpn-ber", "vpn-ffm"])
        #expect(paged(rules(["*-ffm", "crm"])) == ["crm", "vpn-ffm"])
        #expect(paged(rules([], [.interface])) == ["eth0"])
        #expect(paged(rules(["*"], [.saas])) == ["crm"])
        #expect(Glob("*a*b").matches("xaxxb") && !Glob("*a*b").matches("xaxxbc") && Glob("**").matches(""))
        #expect(!Glob(String(repeating: "*a", count: 40) + "b").matches(String(repeating: "a", count: 60)))
    }

    @Test func silenceKeepsHooksQuietAndAnnouncesWhatOutlivesIt() {
        var world = world([Simulation.downRule]) { $0 >= 10_000 && $0 < 60_000 ? .silent : .answers(milliseconds: 5) }
        world.engine.add(Silence(id: 1, match: "a*", from: world.wall(0), until: world.wall(30_000), reason: "work"))
        world.run(to: 29_000)
        #expect(world.notices.isEmpty)
        #expect(world.engine.openIncidents.map(\.silenced) == [true])
        world.run(to: 70_000)
        #expect(events(world) == ["firing down", "resolved down"])
        #expect((30_000...31_100).contains(world.notices[0].at))
        #expect(world.engine.silences.isEmpty)
    }

    @Test func whatOpensAndClosesUnderASilenceIsNeverTold() {
        var world = world([Simulation.downRule]) { $0 >= 10_000 && $0 < 20_000 ? .silent : .answers(milliseconds: 5) }
        world.engine.add(Silence(id: 1, match: "*", from: world.wall(0), until: world.wall(60_000), reason: "work"))
        world.run(to: 80_000)
        #expect(world.notices.isEmpty)
        #expect(world.engine.openIncidents.isEmpty)
    }

    @Test func acknowledgingKeepsTheIncidentOpen() {
        var world = world([Simulation.downRule]) { $0 >= 10_000 ? .silent : .answers(milliseconds: 5) }
        world.run(to: 20_000)
        #expect(world.engine.acknowledge(1)?.acknowledged == true)
        #expect(world.engine.acknowledge(99) == nil)
        #expect(world.engine.openIncidents.map(\.acknowledged) == [true])
    }

    @Test func reloadKeepsIncidentsAndARemovedRuleClosesItsOwn() {
        let spec = Make.target("a")
        var world = world([Simulation.downRule], spec) { $0 >= 10_000 ? .silent : .answers(milliseconds: 5) }
        world.run(to: 20_000)
        #expect(events(world) == ["firing down"])
        let same = world.engine.update(
            rules: [Simulation.downRule], hooks: ["pager"], site: "lab", targets: [spec], now: world.wall(20_000))
        #expect(same.isEmpty)
        world.run(to: 30_000)
        #expect(world.notices.count == 1)
        let gone = world.engine.update(
            rules: [], hooks: ["pager"], site: "lab", targets: [spec], now: world.wall(30_000))
        guard case .save(let incident)? = gone.first else { return #expect(Bool(false), "nothing saved") }
        #expect(incident.closed == world.wall(30_000) && incident.reason.hasSuffix("(rule removed)"))
        world.run(to: 32_000)
        #expect(events(world) == ["firing down", "resolved down"])
        #expect(world.notices[1].1.reason == "rule removed")
    }

    @Test func theLossOfAProbeThatIsGoneIsGone() {
        let rule = AlertRule(
            name: "loss", condition: .loss(above: 0.3, clear: 0.1), of: 5, hooks: ["pager"])
        let spec = Make.target("a", probes: [Make.icmp(), Make.tcp()])
        var world = Simulation([spec], rules: [rule]) { _, probe, at in
            probe.kind == .tcp && at / 1_000 % 2 == 0 ? .silent : .answers(milliseconds: 5)
        }
        world.run(to: 20_000)
        #expect(events(world) == ["firing loss"])
        let less = Make.target("a", probes: [Make.icmp()])
        world.judge.update(targets: [less], now: world.wall(20_000))
        // Rounds of the probe that were under way still come in.
        _ = world.engine.update(rules: [rule], hooks: ["pager"], site: "lab", targets: [less], now: world.wall(20_000))
        world.run(to: 30_000)
        #expect(events(world) == ["firing loss", "resolved loss"])
    }

    @Test func startAnnouncesWhatIsOpenWithTheSameNotice() {
        let began = WallTime(seconds: 1_779_000_000)
        var silenced = Incident(
            id: 5, rule: "down", target: TargetID("a"), severity: .critical, opened: began, reason: "x")
        silenced.silenced = true
        let open = Incident(id: 4, rule: "down", target: TargetID("b"), severity: .critical, opened: began, reason: "x")
        let orphan = Incident(
            id: 3, rule: "old", target: TargetID("b"), severity: .critical, opened: began, reason: "x")
        var engine = AlertEngine(
            rules: [Simulation.downRule], hooks: ["pager"], targets: [Make.target("a"), Make.target("b")],
            incidents: [silenced, open, orphan],
            silences: [Silence(id: 1, match: "a", from: began, until: WallTime(seconds: 1_781_000_000), reason: "")])
        let judge = Judge(targets: [Make.target("a"), Make.target("b")], started: began)
        let now = WallTime(seconds: 1_780_000_000)
        var actions = engine.start(now: now)
        actions += engine.tick(transitions: [], judge: judge, now: now, monotonic: Simulation.monotonic(0))
        let ids = actions.compactMap { action -> String? in
            if case .notify(let notice) = action { return notice.id }
            return nil
        }
        #expect(ids == ["3-resolved-pager", "4-firing-pager"])
        #expect(engine.openIncidents.map(\.id) == [4, 5])
    }

    @Test func fiveThousandTargetsDownAreAFewHookRuns() {
        let probe = [Make.icmp(interval: 10_000)]
        let specs = (0..<5_000).map { Make.target("t\($0)", parents: [], probes: probe) }
        let phases = Dictionary(uniqueKeysWithValues: specs.enumerated().map { ($1.id, $0 * 2) })
        // Refused, so that each is judged on its own; back up fifty seconds later.
        var world = Simulation(specs, phases: phases) { _, _, at in
            (20_000..<70_000).contains(at) ? .refuses : .answers(milliseconds: 20)
        }
        world.run(to: 140_000)
        let saved = Set(
            world.actions.compactMap { entry -> Int64? in
                if case .save(let incident) = entry.1 { return incident.id }
                return nil
            })
        #expect(saved.count == 5_000)
        // Ten at once, one every six seconds, a summary every thirty: 10 + 140/6 + 140/30 at the very most.
        #expect(world.notices.count <= 38, "\(world.notices.count)")
        var opened: [Int64] = []
        var closed: [Int64] = []
        for (_, notice) in world.notices {
            opened += notice.opened
            closed += notice.closed
            #expect(notice.evidence.count <= 50)
        }
        // Every incident is opened and closed exactly once in what the hook is told, and in this order.
        #expect(opened.count == 5_000 && Set(opened) == saved)
        #expect(closed.count == 5_000 && Set(closed) == saved)
        #expect(world.engine.openIncidents.isEmpty)
    }
}
