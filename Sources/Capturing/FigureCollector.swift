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

    mutating func add(_ sample: EngineSample) {
        if FigureCollector.isFailure(sample) { figures.failures += 1 }
        guard sample.rtt >= 0 else { return }
        figures.count += 1
        if values.count < exactLimit {
            values.append(sample.rtt)
            return
        }
        if dense == nil, histogram.isEmpty { leaveValues() }
        if dense != nil {
            dense?.record(nanoseconds: sample.rtt)
        } else {
            histogram.record(nanoseconds: sample.rtt)
        }
    }

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
    private static let serviceLimit = 4_096
    /// Rows of services, the first that come, that get 16 KiB for a histogram.
    private static let denseServiceLimit = 256

    /// Kind and side as one number, to the row's place in `byKind`; -1: none.
    private var kindPlaces: [Int8] = Array(repeating: -1, count: 4 * PassiveKind.allCases.count)
    private var byKind: [FigureRow] = []
    private var byService: [FigureRow] = []
    /// Service, kind and side as one number, to the row's place in `byService`.
    private var places: [UInt64: Int] = [:]
    /// The place that was used last, since samples of one service come in rows.
    private var lastKey = UInt64.max
    private var lastPlace = 0

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

    mutating func add(_ sample: EngineSample, service: () -> String?) {
        let code = Int(sample.kind.code) * 4 + Int(sample.side.code)
        if kindPlaces[code] < 0 {
            kindPlaces[code] = Int8(byKind.count)
            byKind.append(row(sample, service: nil, exactLimit: 16_384, mayBeDense: true))
        }
        byKind[Int(kindPlaces[code])].add(sample)
        let key = UInt64(sample.service.withoutSource.rawValue) << 8 | UInt64(code)
        if key == lastKey {
            byService[lastPlace].add(sample)
            byService[lastPlace].note(sample.service.source)
        } else if let place = places[key] {
            lastKey = key
            lastPlace = place
            byService[place].add(sample)
            byService[place].note(sample.service.source)
        } else if byService.count < FigureCollector.serviceLimit {
            places[key] = byService.count
            let mayBeDense = byService.count < FigureCollector.denseServiceLimit
            byService.append(row(sample, service: service(), exactLimit: 256, mayBeDense: mayBeDense))
            byService[byService.count - 1].add(sample)
            byService[byService.count - 1].note(sample.service.source)
        }
    }

    private func row(_ sample: EngineSample, service: String?, exactLimit: Int, mayBeDense: Bool) -> FigureRow {
        FigureRow(
            figures: PassiveFigures(
                service: service, kind: sample.kind, side: sample.side, count: 0, failures: 0),
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
