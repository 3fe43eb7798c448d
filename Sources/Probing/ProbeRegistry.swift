// Which probes there are, and what a new configuration changes of it.

internal import LinuxSystem
internal import Model

/// All probes by number, and their schedule.
struct ProbeRegistry {
    private(set) var entries: [Int: ProbeEntry] = [:]
    private var numbers: [ProbeKey: Int] = [:]
    private var nextNumber = 0
    var scheduler = Scheduler()

    /// Takes the targets as the whole truth: what is new begins, what is gone ends unreported, what stays keeps its
    /// sequence, and its phase unless the interval changed.
    mutating func update(_ targets: [TargetSpec], now: Int64, starter: RoundStarter, startsAtOnce: Bool = false) {
        var wanted: Set<ProbeKey> = []
        for target in targets {
            for spec in target.probes {
                let key = ProbeKey(target: target.id, probe: spec.id)
                guard wanted.insert(key).inserted else { continue }
                if let number = numbers[key], let entry = entries[number] {
                    change(entry, target, spec, now: now, starter: starter)
                } else {
                    add(key, target, spec, now: now, starter: starter, startsAtOnce: startsAtOnce)
                }
            }
        }
        for (key, number) in numbers where !wanted.contains(key) {
            if let entry = entries.removeValue(forKey: number) { starter.retire(entry) }
            scheduler.remove(number)
            numbers[key] = nil
        }
    }

    private mutating func add(
        _ key: ProbeKey, _ target: TargetSpec, _ spec: ProbeSpec, now: Int64, starter: RoundStarter, startsAtOnce: Bool
    ) {
        let entry = ProbeEntry(id: nextNumber, target: target, spec: spec)
        nextNumber += 1
        numbers[key] = entry.id
        entries[entry.id] = entry
        starter.adopt(entry)
        let interval = entry.interval
        // At once still means spread: a hundred microseconds a probe, over one interval at most. The kernel begins to
        // stamp packets only a moment after the first socket has asked for it.
        let start = (now + 20_000_000 + Int64(entry.id) * 100_000 % interval) % interval
        scheduler.add(
            entry.id, interval: interval, phase: startsAtOnce ? start : key.phase(interval: interval), now: now)
    }

    private mutating func change(
        _ entry: ProbeEntry, _ target: TargetSpec, _ spec: ProbeSpec, now: Int64, starter: RoundStarter
    ) {
        guard !entry.isSame(target, spec) else { return }
        let before = entry.interval
        starter.retire(entry)
        entry.change(to: target, spec)
        starter.adopt(entry)
        guard entry.interval != before else { return }
        scheduler.add(entry.id, interval: entry.interval, phase: entry.key.phase(interval: entry.interval), now: now)
    }
}
