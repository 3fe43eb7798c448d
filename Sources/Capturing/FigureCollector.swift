// Figures of a whole file by kind and by service: exact while there are few samples, from histograms beyond.

internal import Model
internal import Statistics
internal import Wire

/// RTTs of one row: exact values until there are too many, then a histogram of all.
private struct FigureRow {
    var figures: PassiveFigures
    var values: [Int64] = []
    var histogram = Histogram()
    /// In place of `histogram` where `mayBeDense`.
    var dense: DenseHistogram?
    let exactLimit: Int
    let mayBeDense: Bool

    /// Adds an RTT in nanoseconds, 0 or more, which lies in `bucket`.
    @inline(__always)
    mutating func add(_ rtt: Int64, bucket: Int) {
        figures.count &+= 1
        if dense == nil { addToFew(rtt) } else { dense?.record(nanoseconds: rtt, bucket: bucket) }
    }

    @inline(never)
    private mutating func addToFew(_ rtt: Int64) {
        if values.count < exactLimit {
            values.append(rtt)
            return
        }
        if histogram.isEmpty { leaveValues() }
        if dense != nil {
            dense?.record(nanoseconds: rtt)
        } else {
            histogram.record(nanoseconds: rtt)
        }
    }

    mutating func addFailure() { figures.failures &+= 1 }

    /// From exact values to a histogram of them.
    private mutating func leaveValues() {
        if mayBeDense { dense = DenseHistogram() }
        for value in values {
            dense?.record(nanoseconds: value)
            if !mayBeDense { histogram.record(nanoseconds: value) }
        }
    }

    mutating func note(_ source: ServiceSource?) {
        guard let source, !figures.serviceSources.contains(source) else { return }
        figures.serviceSources = ServiceSource.allCases.filter { $0 == source || figures.serviceSources.contains($0) }
    }

    var finished: PassiveFigures {
        var result = figures
        let histogram = dense?.histogram ?? histogram
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
struct FigureCollector {
    /// The rows that a sample belongs to.
    struct Place {
        fileprivate var kind = 0
        /// -1: of a service beyond the limit.
        fileprivate var service = -1
        /// Service with its source, kind and side as one number; none has all bits set.
        fileprivate var key = UInt64.max
    }

    private static let serviceLimit = 4_096
    /// Rows of services, the first that come, that get 16 KiB for a histogram.
    private static let denseServiceLimit = 256
    private static let recentCount = 256

    /// Kind and side as one number, to the row's place in `byKind`; -1: none.
    private var kindPlaces: [Int8] = Array(repeating: -1, count: 4 * PassiveKind.allCases.count)
    private var byKind: [FigureRow] = []
    private var byService: [FigureRow] = []
    /// Service without source, kind and side as one number, to the row's place in `byService`.
    private var places: [UInt64: Int] = [:]
    /// The places that were used last, each where its key's hash says.
    private var recent: [Place] = []

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
        UInt64(service.rawValue) &<< 8 | UInt64(truncatingIfNeeded: code)
    }

    private static func slot(_ key: UInt64) -> Int {
        Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) &>> 56)
    }

    /// The rows of a kind, side and service; nil where they are not at hand, and `open` makes or finds them.
    @inline(__always)
    func place(_ kind: PassiveKind, _ side: PassiveSide, _ service: ServiceReference) -> Place? {
        let key = FigureCollector.key(FigureCollector.code(kind, side), service)
        let slot = FigureCollector.slot(key)
        guard slot < recent.count, recent[slot].key == key else { return nil }
        return recent[slot]
    }

    @inline(never)
    mutating func open(
        _ kind: PassiveKind, _ side: PassiveSide, _ service: ServiceReference, name: String?
    ) -> Place {
        if recent.isEmpty { recent = Array(repeating: Place(), count: FigureCollector.recentCount) }
        let code = FigureCollector.code(kind, side)
        if kindPlaces[code] < 0 {
            kindPlaces[code] = Int8(byKind.count)
            byKind.append(row(kind, side, service: nil, exactLimit: 16_384, mayBeDense: true))
        }
        var place = Place(kind: Int(kindPlaces[code]), key: FigureCollector.key(code, service))
        let key = FigureCollector.key(code, service.withoutSource)
        if let known = places[key] {
            place.service = known
        } else if byService.count < FigureCollector.serviceLimit {
            place.service = byService.count
            places[key] = place.service
            let mayBeDense = byService.count < FigureCollector.denseServiceLimit
            byService.append(row(kind, side, service: name, exactLimit: 256, mayBeDense: mayBeDense))
        }
        if place.service >= 0 { byService[place.service].note(service.source) }
        recent[FigureCollector.slot(place.key)] = place
        return place
    }

    /// Adds an RTT in nanoseconds, 0 or more.
    @inline(__always)
    mutating func add(_ rtt: Int64, at place: Place) {
        let bucket = Histogram.bucketIndex(nanoseconds: rtt)
        byKind[place.kind].add(rtt, bucket: bucket)
        if place.service >= 0 { byService[place.service].add(rtt, bucket: bucket) }
    }

    mutating func add(_ sample: EngineSample, at place: Place) {
        if FigureCollector.isFailure(sample) {
            byKind[place.kind].addFailure()
            if place.service >= 0 { byService[place.service].addFailure() }
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
        kindPlaces.compactMap { $0 < 0 ? nil : byKind[Int($0)].finished }
    }

    /// A row for each service, kind and side, by the service's name, unattributed samples last.
    var services: [PassiveFigures] {
        byService.map(\.finished).sorted { a, b in
            if a.service != b.service {
                guard let first = a.service, let second = b.service else { return b.service == nil }
                return first < second
            }
            return (a.kind.code, a.side.code) < (b.kind.code, b.side.code)
        }
    }
}
