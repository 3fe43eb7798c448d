// One probe of one target, as the loop keeps it.

internal import LinuxSystem
internal import Model
internal import Wire

/// What stays of a probe from round to round.
final class ProbeEntry {
    let id: Int
    let key: ProbeKey
    private(set) var address: TargetAddress
    private(set) var family: AddressFamily
    private(set) var spec: ProbeSpec
    /// Of the next packet; wraps.
    private var nextSequence: UInt32 = 0
    var series: [Series] = []
    /// The tick that waits for the name's first resolution.
    var parked: Tick?
    var ticks = 0

    init(id: Int, target: TargetSpec, spec: ProbeSpec) {
        self.id = id
        key = ProbeKey(target: target.id, probe: spec.id)
        address = target.address
        family = target.family
        self.spec = spec
    }

    var interval: Int64 { max(spec.interval.clampedNanoseconds, 1) }
    var patience: Patience { Patience(timeout: spec.timeout, interval: spec.interval) }

    /// Whether the probe is still the same one.
    func isSame(_ target: TargetSpec, _ other: ProbeSpec) -> Bool {
        address == target.address && family == target.family && spec == other
    }

    func change(to target: TargetSpec, _ other: ProbeSpec) {
        address = target.address
        family = target.family
        spec = other
    }

    func takeSequence(_ count: Int) -> UInt32 {
        defer { nextSequence &+= UInt32(truncatingIfNeeded: count) }
        return nextSequence
    }

    /// The series for `address`, made where there is none.
    func series(for address: IPAddress?) -> Series {
        if let known = series.first(where: { $0.key.address == address }) { return known }
        let made = Series(
            key: SeriesKey(target: key.target, probe: key.probe, address: address), kind: spec.kind)
        series.append(made)
        return made
    }

    /// Packets of a round.
    var packets: Int {
        if case .icmp(let options) = spec.options { return min(max(options.count, 1), 100) }
        return 1
    }
}
