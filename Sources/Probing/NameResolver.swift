// The stub resolver of the probe loop: names of targets without a thread or a wait.

internal import LinuxSystem
internal import Model
internal import Wire

/// Keeps the addresses of all names in use fresh by asking the configured servers.
final class NameResolver {
    /// One resolution: which name as asked, at which server, in which round over the servers.
    private struct Attempt {
        let key: NameKey
        let candidates: [DNSName]
        var candidate = 0
        var server = 0
        var round = 0
        var lastFailure = "no resolver configured"
    }

    private let context: ProbeContext
    private let client: DNSClient
    private var configuration: ResolverConfiguration
    private var cache: NameCache
    /// Names whose addresses may have changed since `takeChanges`.
    private var changes: Set<String> = []
    /// Resolutions under way.
    private var asking = 0

    /// Resolutions at once: a thousand names at start-up are no flood for the resolver.
    static let maximumAsking = 64

    init(context: ProbeContext, client: DNSClient, configuration: ResolverConfiguration) {
        self.context = context
        self.client = client
        self.configuration = configuration
        cache = NameCache(minimumTTL: configuration.minimumTTL, maximumTTL: configuration.maximumTTL)
    }

    /// nil while as many names are asked for as may be: an answer makes room, not the clock.
    var nextDeadline: Int64? { asking < Self.maximumAsking ? cache.nextDeadline : nil }

    /// Takes new settings; every name is asked for again, with its old addresses in use until then.
    func update(_ configuration: ResolverConfiguration) {
        guard configuration != self.configuration else { return }
        self.configuration = configuration
        cache.setBounds(minimumTTL: configuration.minimumTTL, maximumTTL: configuration.maximumTTL)
        cache.expireAll(now: context.clock.monotonic)
    }

    func retain(_ name: String, _ family: AddressFamily) {
        for key in Self.keys(name, family) { cache.retain(key, now: context.clock.monotonic) }
    }

    func release(_ name: String, _ family: AddressFamily) {
        for key in Self.keys(name, family) { cache.release(key) }
    }

    func lookup(_ name: String, isIPv6: Bool) -> NameLookup {
        cache.lookup(NameKey(name: name, isIPv6: isIPv6), now: context.clock.monotonic)
    }

    func takeChanges() -> Set<String> {
        defer { changes = [] }
        return changes
    }

    func fire(now: Int64) {
        while asking < Self.maximumAsking, let key = cache.takeDue(now: now) { begin(key) }
    }

    /// The families that are asked for, IPv6 first.
    static func keys(_ name: String, _ family: AddressFamily) -> [NameKey] {
        var keys: [NameKey] = []
        if family != .ipv4 { keys.append(NameKey(name: name, isIPv6: true)) }
        if family != .ipv6 { keys.append(NameKey(name: name, isIPv6: false)) }
        return keys
    }

    private func begin(_ key: NameKey) {
        let known = configuration.hosts.addresses(of: key.name)
        if !known.isEmpty {
            let fitting = known.filter { $0.isIPv6 == key.isIPv6 }
            if fitting.isEmpty {
                cache.deny(key, reason: "not in the hosts file for this family", now: now, jitter: jitter)
            } else {
                cache.succeed(key, fitting, ttl: .max, now: now, jitter: jitter)
            }
            changes.insert(key.name)
            return
        }
        let candidates = Self.candidates(key.name, search: configuration.search)
        guard !candidates.isEmpty else {
            cache.deny(key, reason: "not a DNS name", now: now, jitter: jitter)
            changes.insert(key.name)
            return
        }
        asking += 1
        ask(Attempt(key: key, candidates: candidates))
    }

    /// The names to try in turn: a name without a dot with each search domain, then as it is; any other as it is.
    static func candidates(_ name: String, search: [String]) -> [DNSName] {
        let isShort = !name.utf8.contains(UInt8(ascii: "."))
        let suffixed = isShort ? search.compactMap { DNSName("\(name).\($0)") } : []
        return suffixed + [DNSName(name)].compactMap { $0 }
    }

    private func ask(_ attempt: Attempt) {
        guard attempt.server < configuration.servers.count else {
            nextServer(attempt)
            return
        }
        let request = DNSRequest(
            server: configuration.servers[attempt.server],
            question: DNSQuestion(
                name: attempt.candidates[attempt.candidate], type: attempt.key.isIPv6 ? DNSType.aaaa : DNSType.a),
            patience: Patience(timeout: configuration.timeout, interval: .zero))
        client.ask(request) { [weak self] result in self?.take(result, attempt) }
    }

    private func take(_ result: DNSResult, _ attempt: Attempt) {
        var attempt = attempt
        guard let reply = result.reply else {
            attempt.lastFailure = "\(server(attempt)): \(result.outcome.detail ?? result.outcome.name)"
            nextServer(attempt)
            return
        }
        switch reply.rcode {
        case DNSRcode.noError, DNSRcode.nameError:
            let name = attempt.candidates[attempt.candidate]
            if reply.rcode == DNSRcode.noError,
                let (addresses, ttl) = reply.addresses(of: name, isIPv6: attempt.key.isIPv6)
            {
                cache.succeed(attempt.key, addresses, ttl: ttl, now: now, jitter: jitter)
                finish(attempt)
            } else if attempt.candidate + 1 < attempt.candidates.count {
                attempt.candidate += 1
                ask(attempt)
            } else {
                let reason = reply.rcode == DNSRcode.nameError ? "NXDOMAIN" : "no address of this family"
                cache.deny(attempt.key, reason: "\(reason) from \(server(attempt))", now: now, jitter: jitter)
                finish(attempt)
            }
        default:
            attempt.lastFailure = "\(DNSRcode.name(reply.rcode)) from \(server(attempt))"
            nextServer(attempt)
        }
    }

    private func nextServer(_ attempt: Attempt) {
        var attempt = attempt
        attempt.server += 1
        if attempt.server >= configuration.servers.count {
            attempt.server = 0
            attempt.round += 1
        }
        if attempt.round < min(max(configuration.attempts, 1), 10), !configuration.servers.isEmpty {
            ask(attempt)
        } else {
            cache.fail(attempt.key, reason: attempt.lastFailure, now: now, jitter: jitter)
            finish(attempt)
        }
    }

    private func finish(_ attempt: Attempt) {
        asking -= 1
        changes.insert(attempt.key.name)
    }

    private func server(_ attempt: Attempt) -> String {
        attempt.server < configuration.servers.count ? configuration.servers[attempt.server].address.description : "?"
    }

    private var now: Int64 { context.clock.monotonic }
    private var jitter: Double { Double.random(in: 0..<1) }
}
