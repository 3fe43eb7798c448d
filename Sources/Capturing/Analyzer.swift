// A capture file through the daemon's own engine.

internal import Model
internal import Wire

/// Passive analysis of a capture file.
public enum Analyzer {
    /// Packets between two reports of progress.
    private static let progressInterval = 65_536
    private static let batch = 1_024

    /// Reads a pcap or pcapng file to its end.
    ///
    /// `onSample` is called for each sample in the order of completion, `onProgress` with the bytes read so far and the
    /// file's size (0 where it is not known), at most once per 65,536 packets. Throws where the file cannot be opened
    /// or nothing in it can be read; damage behind the first packet ends in `AnalysisReport.warning`.
    public static func run(
        file: String, attribution: AttributionTable = AttributionTable(),
        onSample: ((AnalyzedSample) -> Void)? = nil, onProgress: ((_ done: Int64, _ total: Int64) -> Void)? = nil
    ) throws(CaptureError) -> AnalysisReport {
        try run(
            file: file, attribution: attribution, limits: EngineLimits(), onSample: onSample, onProgress: onProgress)
    }

    /// The same with tables of other sizes.
    static func run(
        file: String, attribution: AttributionTable, limits: EngineLimits, onSample: ((AnalyzedSample) -> Void)? = nil,
        onProgress: ((_ done: Int64, _ total: Int64) -> Void)? = nil
    ) throws(CaptureError) -> AnalysisReport {
        let source = try PacketSource.open(file: file)
        let link = source.link
        let engine = UnsafeMutablePointer<CaptureEngine>.allocate(capacity: 1)
        unsafe engine.initialize(
            to: CaptureEngine(
                link: link.layer, attribution: attribution, limits: limits, keepsSamples: onSample != nil,
                makesFigures: true, hash: .forFiles))
        defer {
            unsafe engine.deinitialize(count: 1)
            unsafe engine.deallocate()
        }
        var report = AnalysisReport(file: file)
        if link.layer == .unreadable { report.warning = "\(link.name) packets cannot be read" }
        let total = onProgress == nil ? 0 : PacketSource.size(of: file)
        var untilProgress = progressInterval
        reading: while true {
            let reading = unsafe source.read(batch, into: engine)
            unsafe drain(&engine.pointee, onSample)
            switch reading {
            case .packets(let count):
                untilProgress -= count
                if untilProgress <= 0 {
                    untilProgress = progressInterval
                    onProgress?(source.position, total)
                }
            case .endOfFile, .interrupted: break reading
            case .failed(let reason):
                let error = CaptureError(.notACapture, source: file, reason: reason)
                if unsafe engine.pointee.packets == 0 { throw error }
                report.warning = error.reason
                break reading
            }
        }
        unsafe engine.pointee.finish()
        unsafe drain(&engine.pointee, onSample)
        unsafe fill(&report, from: engine.pointee)
        if unsafe engine.pointee.hasNoTimes {
            report.warning = report.warning ?? "the records carry no times, so nothing can be timed"
            return report
        }
        report.kinds = unsafe engine.pointee.figures.kinds
        report.services = unsafe engine.pointee.figures.services
        return report
    }

    /// Hands the samples so far to the caller, where he wants them.
    private static func drain(_ engine: inout CaptureEngine, _ onSample: ((AnalyzedSample) -> Void)?) {
        guard let onSample else { return }
        if !engine.hasNoTimes {
            for sample in engine.samples {
                onSample(AnalyzedSample(sample, service: engine.serviceText(sample.service)))
            }
        }
        engine.samples.removeAll(keepingCapacity: true)
    }

    private static func fill(_ report: inout AnalysisReport, from engine: borrowing CaptureEngine) {
        report.counters = engine.counters
        report.flows = engine.findings.counters.flows
        report.oneSidedFlows = engine.findings.counters.oneSidedFlows
        report.upstreamLosses = engine.findings.counters.upstreamLosses
        report.spuriousRetransmissions = engine.findings.counters.spurious
        if engine.packets > 0 { report.duration = .nanoseconds(max(0, engine.now &- engine.earliest)) }
    }
}

extension CaptureEngine {
    /// Whether all records so far lie at 1970 to the nanosecond: simple packet blocks of pcapng carry no time.
    fileprivate var hasNoTimes: Bool { earliest == 0 && now == 0 }
}

extension AnalyzedSample {
    /// The sample in words.
    init(_ sample: EngineSample, service: String?) {
        self.init(
            time: WallTime(nanoseconds: sample.time), kind: sample.kind, side: sample.side, method: sample.method,
            rtt: sample.rtt < 0 ? nil : sample.rtt, outcome: sample.outcome, source: sample.source,
            sourcePort: sample.sourcePort, destination: sample.destination,
            destinationPort: sample.destinationPort,
            interface: sample.interface == 0 ? nil : "if\(sample.interface)", service: service,
            serviceSource: service == nil ? nil : sample.service.source, note: AnalyzedSample.note(of: sample))
    }

    private static func note(of sample: EngineSample) -> String? {
        var parts: [String] = []
        if sample.notes.contains(.oneSided) { parts.append("one_sided") }
        if sample.notes.contains(.spurious) { parts.append("spurious") }
        parts += sample.detail.words
        if sample.retries > 0 { parts.append("retries=\(sample.retries)") }
        if sample.retries > 0, sample.rtt >= 0 { parts.append("last_us=\(microseconds(sample.lower))") }
        if sample.outcome == .ambiguous {
            parts.append("bounds_us=\(microseconds(sample.lower))..\(microseconds(sample.upper))")
        }
        if sample.rcode != 0 { parts.append(DNSRcode.name(sample.rcode)) }
        if sample.notes.contains(.noData) { parts.append("NODATA") }
        if sample.notes.contains(.truncated) { parts.append("truncated") }
        if sample.notes.contains(.overTCP) { parts.append("tcp") }
        if sample.notes.contains(.afterRetry) { parts.append("after_retry") }
        if sample.notes.contains(.encryptedHello) { parts.append("ech") }
        if sample.notes.contains(.earlyData) { parts.append("early_data") }
        if sample.notes.contains(.alert) { parts.append("alert") }
        if sample.notes.contains(.notTLS) { parts.append("not_tls") }
        return parts.isEmpty ? nil : parts.joined(separator: ",")
    }

    /// Microseconds with as many digits of fraction as there are.
    private static func microseconds(_ nanoseconds: Int64) -> String {
        let rest = nanoseconds % 1_000
        guard rest != 0 else { return String(nanoseconds / 1_000) }
        let digits = String(1_000 + abs(rest)).dropFirst()
        return "\(nanoseconds / 1_000).\(digits)"
    }
}
