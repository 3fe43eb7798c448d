// Addresses of names, when to ask again, and what to do while nobody answers: pure.

internal import LinuxSystem
internal import Model
internal import Wire

/// One name in one family.
struct NameKey: Hashable, Sendable {
    let name: String
    let isIPv6: Bool
}

/// What is known of a name.
enum NameLookup: Equatable {
    /// The first resolution is under way.
    case pending
    /// No address, and never had one. `isNegative`: the resolver answered that there is none.
    case none(reason: String, isNegative: Bool)
    /// `age`: how old they are where they could not be had anew.
    case addresses([IPAddress], age: Int64?)
}

/// Remembers addresses past their TTL: an old address with its age is better than no probe.
struct NameCache {
    private struct State {
        var users = 0
        var addresses: [IPAddress] = []
        var resolved: Int64?
        var failure: String?
        var isNegative = false
        var failures = 0
        var isAsking = false
        var generation: UInt64
    }

    private struct Due {
        let key: NameKey
        let generation: UInt64
    }

    private var minimumTTL: Int64
    private var maximumTTL: Int64
    /// The first and the longest pause after a failure.
    static let shortestRetry: Int64 = 1_000_000_000
    static let longestRetry: Int64 = 30_000_000_000
    /// How long "there is none" is believed.
    static let negativeTTL: Int64 = 30_000_000_000

    private var states: [NameKey: State] = [:]
    private var queue = TimerHeap<Due>()
    private var nextGeneration: UInt64 = 0

    init(minimumTTL: Duration, maximumTTL: Duration) {
        self.minimumTTL = max(minimumTTL.clampedNanoseconds, 1)
        self.maximumTTL = max(maximumTTL.clampedNanoseconds, self.minimumTTL)
    }

    /// Takes new bounds, for answers to come.
    mutating func setBounds(minimumTTL: Duration, maximumTTL: Duration) {
        self.minimumTTL = max(minimumTTL.clampedNanoseconds, 1)
        self.maximumTTL = max(maximumTTL.clampedNanoseconds, self.minimumTTL)
    }

    var nextDeadline: Int64? { queue.nextDeadline }
    var count: Int { states.count }

    /// Begins to need `key`; a new one is due at once.
    mutating func retain(_ key: NameKey, now: Int64) {
        if states[key] == nil {
            nextGeneration &+= 1
            states[key] = State(generation: nextGeneration)
            queue.push(Due(key: key, generation: nextGeneration), at: now)
        }
        states[key]?.users += 1
    }

    /// Ends to need it; without a user it is forgotten.
    mutating func release(_ key: NameKey) {
        guard var state = states[key] else { return }
        state.users -= 1
        states[key] = state.users > 0 ? state : nil
    }

    /// A name to ask for now; it counts as being asked for until one of the three answers below.
    mutating func takeDue(now: Int64) -> NameKey? {
        while let (_, due) = queue.popDue(at: now) {
            guard let state = states[due.key], state.generation == due.generation, !state.isAsking else { continue }
            states[due.key]?.isAsking = true
            return due.key
        }
        return nil
    }

    /// There are addresses, for `ttl` seconds. `jitter`, 0..<1, shortens that by up to a tenth, so that names asked for
    /// together do not stay together.
    mutating func succeed(_ key: NameKey, _ addresses: [IPAddress], ttl: UInt32, now: Int64, jitter: Double) {
        guard var state = states[key] else { return }
        state.addresses = addresses
        state.resolved = now
        state.failure = nil
        state.isNegative = false
        state.failures = 0
        let wanted = Int64(ttl).multipliedSaturated(by: 1_000_000_000)
        schedule(key, &state, pause: min(max(wanted, minimumTTL), maximumTTL), now: now, jitter: jitter)
    }

    /// The resolver says that there is none.
    mutating func deny(_ key: NameKey, reason: String, now: Int64, jitter: Double) {
        guard var state = states[key] else { return }
        state.failure = reason
        state.isNegative = true
        state.failures = 0
        schedule(key, &state, pause: min(max(Self.negativeTTL, minimumTTL), maximumTTL), now: now, jitter: jitter)
    }

    /// No server answered, or none usefully.
    mutating func fail(_ key: NameKey, reason: String, now: Int64, jitter: Double) {
        guard var state = states[key] else { return }
        state.failure = reason
        state.isNegative = false
        let pause = Self.shortestRetry.multipliedSaturated(by: 1 << Int64(min(state.failures, 20)))
        state.failures += 1
        schedule(key, &state, pause: min(pause, Self.longestRetry), now: now, jitter: jitter)
    }

    /// Asks for everything again, as after a change of the resolver's settings.
    mutating func expireAll(now: Int64) {
        for (key, state) in states where !state.isAsking {
            var state = state
            schedule(key, &state, pause: 0, now: now, jitter: 0)
        }
    }

    func lookup(_ key: NameKey, now: Int64) -> NameLookup {
        guard let state = states[key] else { return .none(reason: "not asked for", isNegative: false) }
        if !state.addresses.isEmpty {
            return .addresses(
                state.addresses, age: state.failure == nil ? nil : state.resolved.map { max(0, now - $0) })
        }
        guard let failure = state.failure else { return .pending }
        return .none(reason: failure, isNegative: state.isNegative)
    }

    private mutating func schedule(_ key: NameKey, _ state: inout State, pause: Int64, now: Int64, jitter: Double) {
        nextGeneration &+= 1
        state.generation = nextGeneration
        state.isAsking = false
        states[key] = state
        let shortened = pause - Int64(Double(pause) * 0.1 * min(max(jitter, 0), 1))
        queue.push(Due(key: key, generation: nextGeneration), at: now.addingSaturated(shortened))
    }
}
