// A small world: targets probed at their own phases, a truth per moment, the judge and the alert engine at the end.

import Alerting
import Model
import Wire

/// What a probe sent at a moment meets.
enum Fate {
    case answers(milliseconds: Int)
    case silent
    case refuses
    /// A firewall on the way says no.
    case rejected
    case ownLinkDown
    case unresolved
    /// The round never comes in.
    case swallowed
}

/// Times in milliseconds since the beginning of the simulation.
struct Simulation {
    var judge: Judge
    var engine: AlertEngine
    /// Added to wall time from a moment on, in milliseconds.
    var clockStep: (at: Int, by: Int)?
    var transitions: [(at: Int, Transition)] = []
    var actions: [(at: Int, AlertAction)] = []
    private let specs: [TargetSpec]
    private let phases: [TargetID: Int]
    private let fate: (TargetSpec, ProbeSpec, Int) -> Fate
    private var due: [(at: Int, Int, Round)] = []
    private var clock = 0
    private var sequence = 0
    private var nextTick = 0
    private var schedule: [(spec: Int, probe: Int, at: Int)] = []
    /// While true the process is stopped: nothing is sent, received or ticked.
    var stopped: Range<Int>?

    static let epoch: Int64 = 1_780_000_000_000

    init(
        _ specs: [TargetSpec], rules: [AlertRule] = [Simulation.downRule], phases: [TargetID: Int] = [:],
        restored: [TargetID: Verdict] = [:], incidents: [Incident] = [], startedAt: Int = 0,
        fate: @escaping (TargetSpec, ProbeSpec, Int) -> Fate
    ) {
        self.specs = specs
        self.phases = phases
        self.fate = fate
        clock = startedAt
        nextTick = startedAt
        judge = Judge(
            targets: specs, restored: restored,
            started: WallTime(nanoseconds: (Self.epoch + Int64(startedAt)) * 1_000_000))
        engine = AlertEngine(
            rules: rules, hooks: ["pager"], site: "lab", targets: specs, incidents: incidents, nextIncidentID: 1)
        for (number, spec) in specs.enumerated() {
            for probe in spec.probes.indices { schedule.append((number, probe, startedAt + (phases[spec.id] ?? 0))) }
        }
    }

    static let downRule = AlertRule(name: "down", condition: .state(.down), hooks: ["pager"])

    func wall(_ at: Int) -> WallTime {
        let step = clockStep.map { at >= $0.at ? $0.by : 0 } ?? 0
        return WallTime(nanoseconds: (Self.epoch + Int64(at + step)) * 1_000_000)
    }
    static func monotonic(_ at: Int) -> MonotonicTime { MonotonicTime(nanoseconds: Int64(at) * 1_000_000) }

    mutating func run(to end: Int) {
        var now = clock
        while now < end {
            send(at: now)
            deliver(upTo: now)
            if now >= nextTick { tick(at: now) }
            now += 50
            if let stopped, stopped.contains(now) { now = skip(to: stopped.upperBound) }
        }
        clock = now
    }

    private mutating func skip(to end: Int) -> Int {
        // What was in flight is the monitor's own fault; ticks that were missed are not fired in a burst.
        due.removeAll()
        for slot in schedule.indices {
            while schedule[slot].at < end { schedule[slot].at += interval(schedule[slot].spec, schedule[slot].probe) }
        }
        nextTick = end
        return end
    }

    private mutating func tick(at now: Int) {
        nextTick = now + 1_000
        let made = judge.tick(now: wall(now), monotonic: Self.monotonic(now))
        transitions += made.map { (now, $0) }
        actions += engine.tick(transitions: made, judge: judge, now: wall(now), monotonic: Self.monotonic(now))
            .map { (now, $0) }
    }

    private mutating func send(at now: Int) {
        for slot in schedule.indices where schedule[slot].at <= now {
            let at = schedule[slot].at
            let spec = specs[schedule[slot].spec]
            let probe = spec.probes[schedule[slot].probe]
            schedule[slot].at = at + interval(schedule[slot].spec, schedule[slot].probe)
            sequence += 1
            let (outcome, delay) = outcome(fate(spec, probe, at), probe)
            guard let outcome else { continue }
            let result = ProbeResult(sent: wall(at), sequence: UInt32(sequence), outcome: outcome, source: .kernel)
            let round = Round(
                series: SeriesKey(target: spec.id, probe: probe.id, address: nil), kind: probe.kind,
                scheduled: wall(at), finished: Self.monotonic(at + delay), results: [result])
            due.append((at + delay, sequence, round))
        }
    }

    private func interval(_ spec: Int, _ probe: Int) -> Int {
        Int(specs[spec].probes[probe].interval.inSeconds * 1_000)
    }

    private func outcome(_ fate: Fate, _ probe: ProbeSpec) -> (Outcome?, Int) {
        switch fate {
        case .answers(let milliseconds): (.ok(rtt: .milliseconds(milliseconds)), milliseconds)
        case .silent: (.lost, Int(probe.timeout.inSeconds * 1_000))
        case .refuses: (.refused(rtt: .milliseconds(5)), 5)
        case .rejected: (.error(.portUnreachable), 5)
        case .ownLinkDown: (.indeterminate(.linkDown), 0)
        case .unresolved: (.unresolved, 0)
        case .swallowed: (nil, 0)
        }
    }

    private mutating func deliver(upTo now: Int) {
        let ready = due.filter { $0.at <= now }.sorted { ($0.at, $0.1) < ($1.at, $1.1) }
        due.removeAll { $0.at <= now }
        for (at, _, round) in ready {
            let made = judge.observe(round, now: wall(now))
            transitions += made.map { (at, $0) }
            actions += engine.observe(round, transitions: made, judge: judge, now: wall(now)).map { (at, $0) }
        }
    }

    var notices: [(at: Int, HookNotice)] {
        actions.compactMap { entry in
            if case .notify(let notice) = entry.1 { return (entry.at, notice) }
            return nil
        }
    }

    func states(of id: TargetID) -> [TargetState] { transitions.filter { $0.1.target == id }.map(\.1.verdict.state) }
}

extension TargetID {
    init(_ text: String) { self.init(sanitising: text) }
}

enum Make {
    static func icmp(interval: Int = 1_000, timeout: Int = 1_000) -> ProbeSpec {
        ProbeSpec(
            id: "icmp", interval: .milliseconds(interval), timeout: .milliseconds(timeout),
            options: .icmp(ICMPOptions()))
    }

    static func tcp(interval: Int = 1_000, timeout: Int = 1_000) -> ProbeSpec {
        ProbeSpec(
            id: "tcp-443", interval: .milliseconds(interval), timeout: .milliseconds(timeout),
            options: .tcp(TCPOptions(port: 443)))
    }

    static func target(
        _ name: String, _ kind: TargetKind = .vpn, parents: [String] = [], probes: [ProbeSpec] = [Make.icmp()],
        judgement: JudgementSettings = JudgementSettings()
    ) -> TargetSpec {
        TargetSpec(
            id: TargetID(name), kind: kind, parents: parents.map { TargetID($0) },
            address: kind == .interface ? .interface(name) : .name("\(name).example"), probes: probes,
            judgement: judgement)
    }

    /// A gateway and `count` targets beyond it.
    static func site(_ count: Int, interval: Int = 1_000, timeout: Int = 1_000) -> [TargetSpec] {
        let probe = [icmp(interval: interval, timeout: timeout)]
        return [target("gw", .gateway, probes: probe)]
            + (1...count).map { target("vpn\($0)", parents: ["gw"], probes: probe) }
    }
}

/// A deterministic generator (SplitMix64), so that a failure can be repeated.
struct Dice: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// A share of `percent` of the moments, the same for the same (seed, name, time).
    static func hits(percent: Int, seed: UInt64, _ name: String, _ time: Int) -> Bool {
        var hash = seed &* 31
        for byte in name.utf8 { hash = hash &* 1_099_511_628_211 ^ UInt64(byte) }
        var dice = Dice(state: hash ^ UInt64(time) &* 0x2545_F491_4F6C_DD1D)
        return dice.next() % 100 < UInt64(percent)
    }
}
