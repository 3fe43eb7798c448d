// From a tick to packets: which addresses, whether they can be reached at all, and who sends.

internal import Glibc
internal import LinuxSystem
internal import Model
internal import Wire

/// Begins the rounds of probes.
final class RoundStarter {
    private let context: ProbeContext
    private let echo4: EchoProber?
    private let echo6: EchoProber?
    private let connects: ConnectProber
    private let questions: DNSClient
    private let resolver: NameResolver
    /// Probes with a parked tick, by the name that it waits for.
    private var waiting: [String: [ProbeEntry]] = [:]

    init(
        context: ProbeContext, echo4: EchoProber?, echo6: EchoProber?, connects: ConnectProber, questions: DNSClient,
        resolver: NameResolver
    ) {
        self.context = context
        self.echo4 = echo4
        self.echo6 = echo6
        self.connects = connects
        self.questions = questions
        self.resolver = resolver
    }

    /// A probe begins to be watched: its name is asked for before its first tick.
    func adopt(_ entry: ProbeEntry) {
        if case .name(let name) = entry.address { resolver.retain(name, entry.family) }
    }

    /// A probe ends, or becomes another: nothing of it is reported any more.
    func retire(_ entry: ProbeEntry) {
        if case .name(let name) = entry.address {
            resolver.release(name, entry.family)
            if entry.parked != nil { waiting[name]?.removeAll { $0 === entry } }
            if waiting[name]?.isEmpty == true { waiting[name] = nil }
        }
        for series in entry.series { retire(series) }
        entry.series = []
        entry.parked = nil
    }

    private func retire(_ series: Series) {
        context.retire(series)
        (series.key.address?.isIPv6 == true ? echo6 : echo4)?.retire(series)
    }

    func begin(_ entry: ProbeEntry, _ tick: Tick) {
        switch entry.address {
        case .interface(let name): beginLink(entry, tick, interface: name)
        case .ip(let address, let zone):
            var scope: UInt32 = 0
            if let zone {
                guard let index = context.network.interfaceIndex(zone) else {
                    settle(entry, tick, address, .indeterminate(.linkDown), note: "no interface \(zone)")
                    return
                }
                scope = UInt32(index)
            }
            begin(entry, tick, SocketAddress(address, scope: scope), age: nil)
        case .name(let name): begin(entry, tick, name: name)
        }
    }

    /// Whether ticks wait for names.
    var hasWaiting: Bool { !waiting.isEmpty }

    /// Runs the ticks that waited for one of `names`; those whose other family is still asked for wait on.
    func resume(_ names: Set<String>) {
        for name in names {
            for entry in waiting.removeValue(forKey: name) ?? [] {
                guard let tick = entry.parked else { continue }
                entry.parked = nil
                begin(entry, tick)
            }
        }
    }

    // MARK: Names

    private func begin(_ entry: ProbeEntry, _ tick: Tick, name: String) {
        let six: NameLookup? = entry.family == .ipv4 ? nil : resolver.lookup(name, isIPv6: true)
        let four: NameLookup? = entry.family == .ipv6 ? nil : resolver.lookup(name, isIPv6: false)
        if six == .pending || four == .pending {
            // One tick waits; what else falls due in the meantime is not made up for.
            if entry.parked == nil {
                entry.parked = tick
                waiting[name, default: []].append(entry)
            }
            return
        }
        var chosen = [six, four].compactMap { $0.flatMap { choose($0, entry) } }
        if entry.family == .any, chosen.count == 2 {
            chosen.removeSubrange(isReachable(chosen[0].address) ? 1..<2 : 0..<1)
        }
        // A family that the resolver could not say anything about is a series of its own; one that it denies is none.
        let failed = [six, four].compactMap { $0.flatMap(Self.failure) }
        let denied = [six, four].compactMap { $0.flatMap(Self.denial) }
        let isSilent = chosen.isEmpty || (entry.family == .both && !failed.isEmpty)
        let kept = Set(chosen.map { Optional($0.address) } + (isSilent ? [nil] : []))
        for series in entry.series where !kept.contains(series.key.address) { retire(series) }
        entry.series.removeAll { !kept.contains($0.key.address) }
        if isSilent { settle(entry, tick, nil, .unresolved, note: failed.first ?? denied.first) }
        for (address, age) in chosen { begin(entry, tick, SocketAddress(address), age: age) }
    }

    /// The address of a lookup that is probed: the one probed so far while it is still among them.
    private func choose(_ lookup: NameLookup, _ entry: ProbeEntry) -> (address: IPAddress, age: Int64?)? {
        guard case .addresses(let addresses, let age) = lookup, let first = addresses.first else { return nil }
        let kept = entry.series.compactMap(\.key.address).first { addresses.contains($0) }
        return (kept ?? first, age)
    }

    private static func failure(_ lookup: NameLookup) -> String? {
        if case .none(let reason, isNegative: false) = lookup { return reason }
        return nil
    }

    private static func denial(_ lookup: NameLookup) -> String? {
        if case .none(let reason, isNegative: true) = lookup { return reason }
        return nil
    }

    /// Whether the host has a way to `address`: an IPv6 address is of no use where there is no IPv6 (RFC 6724, rule 1).
    private func isReachable(_ address: IPAddress) -> Bool {
        do {
            _ = try InternetSocket.sourceAddress(towards: SocketAddress(address))
            return true
        } catch {
            // Without a descriptor to ask with, nothing is known: the choice stays what it was.
            return error.errno == EMFILE || error.errno == ENFILE
        }
    }

    // MARK: Addresses

    private func begin(_ entry: ProbeEntry, _ tick: Tick, _ destination: SocketAddress, age: Int64?) {
        let source: ProbeSource
        switch entry.spec.options {
        case .icmp(let options): source = options.source
        case .tcp(let options): source = options.source
        case .dns(let options): source = options.source
        case .link:
            settle(
                entry, tick, destination.address, .indeterminate(.internalError),
                note: "a link probe needs an interface")
            return
        }
        if let reason = context.network.obstacle(to: destination, interface: source.interface) {
            settle(entry, tick, destination.address, .indeterminate(reason), age: age)
            return
        }
        let round = open(entry, tick, destination.address, age: age)
        switch entry.spec.options {
        case .icmp(let options):
            guard let echo = destination.address.isIPv6 ? echo6 : echo4 else {
                settle(round, .indeterminate(.noPermission), note: "no ICMP socket")
                return
            }
            echo.begin(round, to: destination, options: options)
        case .tcp(let options):
            connects.begin(
                round, to: SocketAddress(destination.address, port: options.port, scope: destination.scope),
                source: options.source)
        case .dns(let options):
            DNSProber.begin(round, to: destination, options: options, context: context, client: questions)
        case .link: return
        }
    }

    private func beginLink(_ entry: ProbeEntry, _ tick: Tick, interface: String) {
        guard case .link = entry.spec.options else {
            settle(entry, tick, nil, .indeterminate(.internalError), note: "an interface has no address to probe")
            return
        }
        if let (outcome, note) = context.network.linkOutcome(interface) {
            settle(entry, tick, nil, outcome, note: note)
        } else {
            settle(entry, tick, nil, .indeterminate(.internalError), note: "the state of the links is not known")
        }
    }

    // MARK: Rounds

    private func open(_ entry: ProbeEntry, _ tick: Tick, _ address: IPAddress?, age: Int64?, packets: Int? = nil)
        -> OpenRound
    {
        let packets = packets ?? entry.packets
        let round = OpenRound(
            series: entry.series(for: address), tick: tick,
            scheduled: WallTime(
                nanoseconds: context.clock.wall.subtractingSaturated(context.clock.monotonic - tick.scheduled)),
            packets: packets, firstSequence: entry.takeSequence(packets), patience: entry.patience,
            staleAddressAge: age.map { .nanoseconds($0) })
        context.open(round)
        return round
    }

    /// A round of which nothing is sent, with one result.
    private func settle(
        _ entry: ProbeEntry, _ tick: Tick, _ address: IPAddress?, _ outcome: Outcome, age: Int64? = nil,
        note: String? = nil
    ) {
        let round = open(entry, tick, address, age: age, packets: outcome.standing == .unknown ? 1 : nil)
        settle(round, outcome, note: note)
    }

    private func settle(_ round: OpenRound, _ outcome: Outcome, note: String? = nil) {
        for packet in 0..<round.results.count { context.record(outcome, in: round, packet: packet, note: note) }
    }
}
