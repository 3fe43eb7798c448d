// Figures of a whole file by kind and by service: exact while there are few samples, from histograms beyond.

internal import Model
internal import Statistics
internal import Wire

/// One row: exact values until there are too many, then a histogram of all.
private struct FigureRow {
    var figures: PassiveFigures
    var values: [Int64] = []
    var histogram = Histogram()
    /// The row in `DenseTallies` that is in place of `histogram`; -1: none.
    var dense = -1
    /// Rows in `DenseTallies` of RTTs that belong to this row and to another: a kind's and a service's.
    var joint: [Int] = []
    let exactLimit: Int
    let mayBeDense: Bool

    /// Adds an RTT in nanoseconds, 0 or more.
    mutating func add(_ rtt: Int64, tallies: inout DenseTallies) {
        if dense < 0 {
            figures.count &+= 1
            if values.count < exactLimit {
                values.append(rtt)
                return
            }
            if histogram.isEmpty {
                if mayBeDense { dense = tallies.open() }
                for value in values { record(value, tallies: &tallies) }
            }
        }
        record(rtt, tallies: &tallies)
    }

    private mutating func record(_ rtt: Int64, tallies: inout DenseTallies) {
        if dense >= 0 {
            tallies.record(rtt, bucket: Histogram.bucketIndex(nanoseconds: rtt), row: dense)
        } else {
            histogram.record(nanoseconds: rtt)
        }
    }

    mutating func addFailure() { figures.failures &+= 1 }

    mutating func note(_ source: ServiceSource?) {
        guard let source, !figures.serviceSources.contains(source) else { return }
        figures.serviceSources = ServiceSource.allCases.filter { $0 == source || figures.serviceSources.contains($0) }
    }

    func finished(_ tallies: borrowing DenseTallies) -> PassiveFigures {
        var result = figures
        var histogram = histogram
        if dense >= 0 {
            histogram = tallies.histogram(dense)
            for row in joint { histogram.merge(tallies.histogram(row)) }
            result.count = histogram.count
        }
        let sorted = histogram.isEmpty ? values.sorted() : []
        func quantile(_ q: Double) -> Int64? {
            histogram.isEmpty ? Quantiles.exact(sorted: sorted, q) : histogram.quantile(q)
        }
        result.minimum = histogram.minimum ?? sorted.first
        result.maximum = histogram.maximum ?? sorted.last
        result.p50 = quantile(0.5)
        result.p95 = quantile(0.95)
        result.p99 = quantile(0.99)
        return result
    }
}

/// Collects samples into rows; bounded: services beyond the limit are left out of `services`, never out of `kinds`.
struct FigureCollector: ~Copyable {
    /// The rows that a sample belongs to. All zero is none.
    struct Place: BitwiseCopyable {
        fileprivate var kind: Int32 = 0
        /// -1: of a service beyond the limit.
        fileprivate var service: Int32 = 0
        /// Service with its source, kind and side as one number, above 0.
        fileprivate var key: UInt64 = 0
        /// The row in `tallies` + 1 that stands for both, once both are dense; 0 before, and where there is none.
        fileprivate var joint: Int32 = 0
    }

    private static let serviceLimit = 4_096
    /// Rows of services, the first that come, that may have a row in `tallies`.
    private static let denseServiceLimit = 256
    private static var recentCount: Int { 256 }

    /// Kind and side as one number, to the row's place in `byKind`; -1: none.
    private var kindPlaces: [Int8] = Array(repeating: -1, count: 4 * PassiveKind.allCases.count)
    private var byKind: [FigureRow] = []
    private var byService: [FigureRow] = []
    private var tallies = DenseTallies()
    /// Service without source, kind and side as one number, to the row's place in `byService`.
    private var places: [UInt64: Int] = [:]
    /// The places that were used last, each where its key's hash says.
    private var recent: FixedTable<Place> = FixedTable(zeroed: FigureCollector.recentCount)

    /// Timeouts, refusals, failed rcodes and exchanges; not what is only unknown, and an orphan says nothing of anyone.
    static func isFailure(_ sample: EngineSample) -> Bool {
        switch sample.outcome {
        case .timeout, .unanswered: true
        case .orphan: false
        case .ambiguous, nil:
            // NXDOMAIN is a true answer; the other codes are the server's failures.
            sample.kind == .tcpRefused || sample.kind == .dns && sample.rcode != 0 && sample.rcode != 3
                || !sample.notes.isDisjoint(with: [.alert, .notTLS])
                || IKENotification.isFailure(sample.detail.rejection)
        }
    }

    private static func code(_ kind: PassiveKind, _ side: PassiveSide) -> Int {
        Int(kind.code) &* 4 &+ Int(side.code)
    }

    private static func key(_ code: Int, _ service: ServiceReference) -> UInt64 {
        1 &<< 63 | UInt64(service.rawValue) &<< 8 | UInt64(truncatingIfNeeded: code)
    }

    private static func slot(_ key: UInt64) -> Int {
        Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) &>> 56)
    }

    /// Adds an RTT in nanoseconds, 0 or more, where the rows are known and share one in `tallies`; false where not.
    @inline(__always)
    mutating func addDense(
        _ rtt: Int64, _ kind: PassiveKind, _ side: PassiveSide, _ service: ServiceReference
    ) -> Bool {
        let key = FigureCollector.key(FigureCollector.code(kind, side), service)
        let slot = FigureCollector.slot(key)
        let joint = Int(recent[slot].joint)
        guard recent[slot].key == key, joint > 0 else { return false }
        tallies.record(rtt, bucket: Histogram.bucketIndex(nanoseconds: rtt), row: joint &- 1)
        return true
    }

    /// The rows of a kind, side and service; nil where they are not at hand, and `open` makes or finds them.
    func place(_ kind: PassiveKind, _ side: PassiveSide, _ service: ServiceReference) -> Place? {
        let key = FigureCollector.key(FigureCollector.code(kind, side), service)
        let place = recent[FigureCollector.slot(key)]
        return place.key == key ? place : nil
    }

    mutating func open(
        _ kind: PassiveKind, _ side: PassiveSide, _ service: ServiceReference, name: String?
    ) -> Place {
        let code = FigureCollector.code(kind, side)
        if kindPlaces[code] < 0 {
            kindPlaces[code] = Int8(byKind.count)
            byKind.append(row(kind, side, service: nil, exactLimit: 16_384, mayBeDense: true))
        }
        var place = Place(kind: Int32(kindPlaces[code]), service: -1, key: FigureCollector.key(code, service))
        let key = FigureCollector.key(code, service.withoutSource)
        if let known = places[key] {
            place.service = Int32(known)
        } else if byService.count < FigureCollector.serviceLimit {
            place.service = Int32(byService.count)
            places[key] = byService.count
            let mayBeDense = byService.count < FigureCollector.denseServiceLimit
            byService.append(row(kind, side, service: name, exactLimit: 256, mayBeDense: mayBeDense))
        }
        if place.service >= 0 { byService[Int(place.service)].note(service.source) }
        keep(&place)
        return place
    }

    private mutating func keep(_ place: inout Place) {
        let (kind, service) = (Int(place.kind), Int(place.service))
        if service >= 0, byKind[kind].dense >= 0, byService[service].dense >= 0 {
            if byService[service].joint.isEmpty {
                let row = tallies.open()
                if row >= 0 {
                    byService[service].joint = [row]
                    byKind[kind].joint.append(row)
                }
            }
            place.joint = Int32((byService[service].joint.first ?? -1) + 1)
        }
        recent[FigureCollector.slot(place.key)] = place
    }

    /// Adds an RTT in nanoseconds, 0 or more.
    mutating func add(_ rtt: Int64, at place: Place) {
        byKind[Int(place.kind)].add(rtt, tallies: &tallies)
        if place.service >= 0 { byService[Int(place.service)].add(rtt, tallies: &tallies) }
        var place = place
        if place.joint == 0 { keep(&place) }
    }

    mutating func add(_ sample: EngineSample, at place: Place) {
        if FigureCollector.isFailure(sample) {
            byKind[Int(place.kind)].addFailure()
            if place.service >= 0 { byService[Int(place.service)].addFailure() }
        }
        if sample.rtt >= 0 { add(sample.rtt, at: place) }
    }

    private func row(
        _ kind: PassiveKind, _ side: PassiveSide, service: String?, exactLimit: Int, mayBeDense: Bool
    ) -> FigureRow {
        FigureRow(
            figures: PassiveFigures(service: service, kind: kind, side: side, count: 0, failures: 0),
            exactLimit: exactLimit, mayBeDense: mayBeDense)
    }

    /// A row for each kind and side that had a sample or a failure, in the order of the kinds.
    var kinds: [PassiveFigures] {
        kindPlaces.filter { $0 >= 0 }.map { byKind[Int($0)].finished(tallies) }
    }

    /// A row for each service, kind and side, by the service's name, unattributed samples last.
    var services: [PassiveFigures] {
        byService.map { $0.finished(tallies) }.sorted { a, b in
            if a.service != b.service {
                guard let first = a.service, let second = b.service else { return b.service == nil }
                return first < second
            }
            return (a.kind.code, a.side.code) < (b.kind.code, b.side.code)
        }
    }
}
