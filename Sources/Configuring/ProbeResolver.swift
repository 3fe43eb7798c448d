// The effective value of every setting: the probe's own, else the target's, else the defaults', else the built-in one.

internal import Model

/// Collects the effective values of one target for `explain`.
struct Trace {
    private var lines: [Explanation] = []

    mutating func add(_ key: String, _ value: String, _ node: YAMLNode?) {
        let origin = node.map { Origin.written($0.place, layer: "target") } ?? .builtIn
        lines.append(Explanation(key: key, value: value, origin: origin))
    }

    mutating func add(_ key: String, _ value: String, _ origin: Origin) {
        lines.append(Explanation(key: key, value: value, origin: origin))
    }

    var sorted: [Explanation] { lines.sorted { $0.key < $1.key } }
}

/// Resolves probes and judgement of one target.
struct ProbeResolver {
    static let interval: Duration = .seconds(10)
    static let timeout: Duration = .seconds(2)
    /// `ProbeSpec.timeout` is at most this many intervals.
    static let timeoutIntervals = 10

    let report: Report
    let target: Layer
    let defaults: Layer

    // MARK: Judgement

    func judgement(_ trace: inout Trace) -> JudgementSettings {
        let standard = JudgementSettings()
        func pick<Value>(
            _ key: String, _ path: KeyPath<JudgementLayer, Sourced<Value>?>, _ standard: Value,
            _ text: (Value) -> String
        ) -> Value {
            let picked =
                target.judgement[keyPath: path] ?? defaults.judgement[keyPath: path]
                ?? Sourced(value: standard, origin: .builtIn)
            trace.add(key, text(picked.value), picked.origin)
            return picked.value
        }
        return JudgementSettings(
            downAfter: pick("down_after", \.downAfter, standard.downAfter) { "\($0)" },
            upAfter: pick("up_after", \.upAfter, standard.upAfter) { "\($0)" },
            window: pick("degraded.window", \.window, standard.window) { "\($0)" },
            degradedLoss: pick("degraded.loss", \.degradedLoss, standard.degradedLoss) {
                $0.map { Quantity.text(share: $0) } ?? "never"
            },
            degradedRTT: pick("degraded.rtt", \.degradedRTT, standard.degradedRTT) {
                $0.map { Quantity.text($0) } ?? "never"
            })
    }

    // MARK: Probes

    /// One probe with all that it inherits; nil after a finding.
    ///
    /// - Parameter place: Of the probe, or of its target where the probe is a standard one; nil where nothing is
    ///   written at all.
    func probe(
        _ kind: ProbeKind, _ identity: [String: String], layer: ProbeLayer, at place: Place?, trace: inout Trace
    ) -> ProbeSpec? {
        var chosen = Choice(
            levels: [layer, target.layer(of: kind), target.common, defaults.layer(of: kind), defaults.common])
        let interval = chosen.pick("interval", \.interval, Self.interval) { Quantity.text($0) }
        let timeout = chosen.pick("timeout", \.timeout, Self.timeout) { Quantity.text($0) }
        guard let options = options(kind, &chosen, at: place) else { return nil }
        let id = identity["id"] ?? Self.standardID(options)
        if kind != .link { check(id, interval: interval, timeout: timeout, options: options, at: place) }
        for line in chosen.trace { trace.add("probes.\(id).\(line.key)", line.value, line.origin) }
        // Nothing is sent for a link, so its timeout is never told; the bound of the model holds all the same.
        let bound = interval.value * Self.timeoutIntervals
        return ProbeSpec(id: id, interval: interval.value, timeout: min(timeout.value, bound), options: options)
    }

    /// The levels of one probe, nearest first, and what was taken from where.
    private struct Choice {
        let levels: [ProbeLayer]
        var trace: [Explanation] = []

        init(levels: [ProbeLayer]) { self.levels = levels }

        mutating func pick<Value>(
            _ key: String, _ path: KeyPath<ProbeLayer, Sourced<Value>?>, _ standard: Value,
            _ text: (Value) -> String
        ) -> Sourced<Value> {
            let picked = find(path) ?? Sourced(value: standard, origin: .builtIn)
            trace.append(Explanation(key: key, value: text(picked.value), origin: picked.origin))
            return picked
        }

        func find<Value>(_ path: KeyPath<ProbeLayer, Sourced<Value>?>) -> Sourced<Value>? {
            for level in levels { if let value = level[keyPath: path] { return value } }
            return nil
        }
    }

    private func options(_ kind: ProbeKind, _ chosen: inout Choice, at place: Place?) -> ProbeOptions? {
        if kind == .link { return .link }
        let source = chosen.pick("source", \.source, ProbeSource()) { Description.source($0) }.value
        switch kind {
        case .link: return .link
        case .icmp:
            let standard = ICMPOptions()
            return .icmp(
                ICMPOptions(
                    count: chosen.pick("count", \.count, standard.count) { "\($0)" }.value,
                    spacing: chosen.pick("spacing", \.spacing, standard.spacing) { Quantity.text($0) }.value,
                    size: chosen.pick("size", \.size, standard.size) { "\($0)" }.value,
                    ttl: chosen.pick("ttl", \.ttl, standard.ttl) { "\($0)" }.value,
                    dscp: chosen.pick("dscp", \.dscp, standard.dscp) { "\($0)" }.value,
                    source: source))
        case .tcp:
            // 443 is what nearly every service is reached by; anything else is worth its own line in the file.
            let port = chosen.pick("port", \.port, 443) { "\($0)" }.value
            return .tcp(TCPOptions(port: port, source: source))
        case .dns:
            // The root's name servers are in the cache of every resolver that works, whatever it may be asked.
            let isRoot = chosen.find(\.name).map(\.value.isEmpty) ?? true
            let name = chosen.pick("name", \.name, "") { $0.isEmpty ? "." : $0 }.value
            let type = chosen.pick("type", \.type, isRoot ? 2 : 1) { DNSCodes.name(type: $0) }.value
            let expected = chosen.pick("expect", \.expectation, DNSExpectation()) {
                $0.answer ?? DNSCodes.name(rcode: $0.rcode)
            }.value
            return .dns(
                DNSOptions(
                    name: name, type: type, port: chosen.pick("port", \.port, 53) { "\($0)" }.value,
                    expectedRcode: expected.rcode, expectedAnswer: expected.answer, source: source))
        }
    }

    /// `icmp`, `tcp-443`, `dns`, `link`.
    static func standardID(_ options: ProbeOptions) -> String {
        switch options {
        case .icmp: "icmp"
        case .tcp(let tcp): "tcp-\(tcp.port)"
        case .dns: "dns"
        case .link: "link"
        }
    }

    /// The times of a probe must go together; the finding is put where one of them is written.
    private func check(
        _ id: String, interval: Sourced<Duration>, timeout: Sourced<Duration>, options: ProbeOptions, at place: Place?
    ) {
        guard let place = timeout.origin.place ?? interval.origin.place ?? place else { return }
        let times = "the timeout \(Quantity.text(timeout.value)) of the probe \"\(id)\""
        if timeout.value > interval.value * Self.timeoutIntervals {
            report.error(
                place,
                "\(times) is longer than ten of its intervals of \(Quantity.text(interval.value));"
                    + " shorten the timeout or lengthen the interval")
        } else if timeout.value > interval.value, timeout.origin != .builtIn {
            report.warning(
                place,
                "\(times) is longer than its interval of \(Quantity.text(interval.value)): rounds overlap, and a loss"
                    + " is known only after the next ones were sent")
        }
        guard case .icmp(let icmp) = options, icmp.count > 1 else { return }
        let burst = icmp.spacing * (icmp.count - 1)
        if burst >= interval.value {
            report.error(
                place,
                "the \(icmp.count) echoes of the probe \"\(id)\" take \(Quantity.text(burst)), which does not fit into"
                    + " its interval of \(Quantity.text(interval.value))")
        }
    }
}
