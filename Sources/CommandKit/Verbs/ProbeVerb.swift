// `taut probe`: measures once, by hand, with the daemon's own engine.

internal import ArgumentParser
internal import Foundation
internal import Glibc
internal import LinuxSystem
internal import Model
internal import Probing
internal import Wire

/// The kinds that send packets.
enum ProbeKindArgument: String, ExpressibleByArgument, CaseIterable {
    case icmp, tcp, dns
}

struct ProbeVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "probe", abstract: "Probe addresses now, with the daemon's own engine.",
        discussion: """
            Prints a line a result and the sums at the end; with --json a line of JSON each and a last line \
            {"summary": …}. An address is an IP address or a name, for tcp with its port behind a colon. ICMP needs \
            CAP_NET_RAW or a group within net.ipv4.ping_group_range. Ends with 0 when anything was answered, else 1.
            """)

    /// Results kept for the sums of one run, all targets together.
    private static let maximumResults = 10_000_000

    @OptionGroup var global: GlobalOptions

    @Argument(help: "What to send: icmp, tcp or dns.")
    var kind: ProbeKindArgument

    @Argument(help: "IP addresses or names.")
    var addresses: [String] = []

    @Option(help: ArgumentHelp("Rounds an address.", valueName: "n"))
    var count = 5

    @Option(help: ArgumentHelp("Start to start of an address's rounds, at least 10ms.", valueName: "duration"))
    var interval = DurationArgument(.seconds(1))

    @Option(help: ArgumentHelp("How long an answer is waited for.", valueName: "duration"))
    var timeout = DurationArgument(.seconds(2))

    @Option(
        help: ArgumentHelp("Take addresses from a file too, one a line; - is standard input.", valueName: "file"),
        completion: .file())
    var targets: String?

    @Option(help: ArgumentHelp("tcp, dns: the port (443 and 53 where not given).", valueName: "n"))
    var port: UInt16?

    @Option(help: ArgumentHelp("dns: the name to ask for; the root where not given.", valueName: "name"))
    var name = ""

    @Option(
        help: ArgumentHelp("dns: A, AAAA, NS, MX, TXT, SOA or a number; NS of the root by default.", valueName: "type"))
    var type: String?

    @Option(help: ArgumentHelp("icmp: payload bytes.", valueName: "bytes"))
    var size = 56

    @Option(help: ArgumentHelp("icmp: time to live, 1 to 255.", valueName: "n"))
    var ttl = 64

    @Option(help: ArgumentHelp("icmp: differentiated services code point, 0 to 63.", valueName: "n"))
    var dscp = 0

    @Option(help: ArgumentHelp("Send from this address.", valueName: "address"))
    var source: String?

    @Option(help: ArgumentHelp("Send through this interface.", valueName: "name"))
    var interface: String?

    mutating func validate() throws {
        func require(_ condition: Bool, _ text: String) throws {
            if !condition { throw ValidationError(text) }
        }
        try require((1...1_000_000).contains(count), "--count is 1 to 1000000")
        try require(interval.duration >= .milliseconds(10), "--interval is at least 10ms")
        try require(timeout.duration >= .milliseconds(1), "--timeout is at least 1ms")
        try require((16...65_000).contains(size), "--size is 16 to 65000 (sixteen bytes hold the nonce)")
        try require((1...255).contains(ttl), "--ttl is 1 to 255")
        try require((0...63).contains(dscp), "--dscp is 0 to 63")
        try require(port != 0, "--port is 1 to 65535")
        try require(!addresses.isEmpty || targets != nil, "name at least one address, or --targets FILE")
    }

    func run() throws {
        let console = global.console
        let list = try addressList()
        guard !list.isEmpty else { throw CommandError.usage("no address in \(targets ?? "the list")") }
        guard list.count <= Self.maximumResults / count else {
            throw CommandError.usage("\(list.count) addresses × \(count) rounds are more than 10,000,000 results")
        }
        let ports = Set(list.map { $0.port })
        guard ports.count == 1 else {
            throw CommandError.usage("addresses with different ports: probe each port by itself")
        }
        let request = OneShotRequest(
            targets: list.map { $0.address }, options: try options(port: ports.first ?? nil), count: count,
            interval: interval.duration, timeout: timeout.duration)
        var sockets = ProbeSockets.none
        if kind == .icmp {
            let opened = ProbeSockets.open()
            sockets = opened.sockets
            if sockets.kind4 == .unavailable, sockets.kind6 == .unavailable {
                throw CommandError.failure(opened.problems.joined(separator: "; "))
            }
            if console.isTerminal { opened.problems.forEach { console.note("taut: \(HostileText.line($0))") } }
        }
        var answered = false
        try measure(request, sockets: sockets, console: console, answered: &answered)
        if !answered { throw ExitCode(1) }
    }

    private func measure(
        _ request: OneShotRequest, sockets: ProbeSockets, console: Console, answered: inout Bool
    ) throws {
        var tallies: [TargetAddress: ProbeTally] = [:]
        var problem: OutputError?
        let renderer = ProbeRenderer(palette: console.palette)
        let cancel = CancelFlag()
        let interrupt = InterruptWait(cancel)
        defer { interrupt.end() }
        let counters: ProbeCounters
        do {
            counters = try OneShot.run(request, sockets: sockets, cancel: cancel) { result in
                tallies[result.target, default: ProbeTally(target: result.target.text, probe: result.kind.rawValue)]
                    .add(result)
                let line = global.json ? ProbeRenderer.json(result).text(pretty: false) : renderer.line(result)
                if problem == nil { problem = console.write(line + "\n") }
                if problem != nil { cancel.cancel() }
            }
        } catch {
            throw CommandError.failure("\(error)")
        }
        let ordered = request.targets.reduce(into: [TargetAddress]()) { if !$0.contains($1) { $0.append($1) } }
            .map { tallies[$0] ?? ProbeTally(target: $0.text, probe: kind.rawValue) }
        answered = ordered.contains { $0.sent > $0.lost }
        if let problem { throw problem }
        if global.json {
            let now = CommandContext.current.now()
            try console.line(ProbeRenderer.json(ordered, counters: counters, generated: now).text(pretty: false))
        } else {
            try console.lines([""] + renderer.summary(ordered))
        }
    }

    private func addressList() throws -> [ProbeAddress] {
        do {
            var list = try addresses.map { text throws(ProbeAddress.Problem) in try ProbeAddress(text) }
            if let targets { list += try ProbeAddress.list(InputFile.text(targets)) }
            return list
        } catch let problem as ProbeAddress.Problem {
            throw CommandError.usage(problem.description)
        }
    }

    private func options(port written: UInt16?) throws -> ProbeOptions {
        var from = ProbeSource(interface: interface)
        if let source {
            guard let address = IPAddress(source) else {
                throw CommandError.usage("--source: \"\(source)\" is no IP address")
            }
            from.address = address
        }
        if kind == .icmp, written != nil || port != nil { throw CommandError.usage("icmp has no port") }
        if let written, let port, written != port { throw CommandError.usage("--port and the address name two ports") }
        switch kind {
        case .icmp: return .icmp(ICMPOptions(count: 1, size: size, ttl: ttl, dscp: dscp, source: from))
        case .tcp: return .tcp(TCPOptions(port: written ?? port ?? 443, source: from))
        case .dns:
            return .dns(
                DNSOptions(name: name, type: try questionType(), port: written ?? port ?? 53, source: from))
        }
    }

    private func questionType() throws -> UInt16 {
        guard let type else { return name.isEmpty ? 2 : 1 }
        let known: [String: UInt16] = [
            "A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33, "HTTPS": 65,
        ]
        if let number = known[type.uppercased()] ?? UInt16(type) { return number }
        throw CommandError.usage(
            "--type: \"\(type)\" is no DNS type; use \(known.keys.sorted().joined(separator: ", ")) or a number")
    }
}
