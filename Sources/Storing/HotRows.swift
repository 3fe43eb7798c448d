// Rows of `results`: what came in since its hour was last sealed.

internal import GRDB
internal import Model

/// One row. Its checksum covers the row, its key and the names of its series.
struct HotRow {
    var slot: Int64
    var offset: Int64
    var sequence: Int64
    var code: Int64
    var rtt: Int64?
    var source: Int64
    var kernelRTT: Int64?
    var note: String?
    /// As it is stored; 0 in a row that has not been.
    var crc: Int64 = 0

    var time: WallTime { Slot.time(slot: slot, offset: offset) }

    func checksum(seed: UInt32) -> Int64 {
        var sum = CRC32C(seed: seed)
        for number in [slot, offset, sequence, code, source] { sum.add(number) }
        sum.add(rtt)
        sum.add(kernelRTT)
        sum.add(note)
        return Int64(sum.value)
    }

    static let columns = "r.slot, r.at_us, r.sequence, r.outcome, r.rtt_ns, r.source, r.kernel_rtt_ns, r.note, r.crc"

    /// The nine columns from the first on; nil where the checksum says that they are not what was written.
    init?(_ row: FastRows, seed: UInt32) {
        guard let slot = row.integer(0), let offset = row.integer(1), let sequence = row.integer(2),
            let code = row.integer(3), let source = row.integer(5)
        else { return nil }
        self.init(
            slot: slot, offset: offset, sequence: sequence, code: code, rtt: row.integer(4), source: source,
            kernelRTT: row.integer(6), note: row.text(7))
        crc = checksum(seed: seed)
        guard row.integer(8) == crc else { return nil }
    }

    init(
        slot: Int64, offset: Int64, sequence: Int64, code: Int64, rtt: Int64?, source: Int64, kernelRTT: Int64?,
        note: String?
    ) {
        self.slot = slot
        self.offset = offset
        self.sequence = sequence
        self.code = code
        self.rtt = rtt
        self.source = source
        self.kernelRTT = kernelRTT
        self.note = note
    }

    var result: ProbeResult {
        ProbeResult(
            sent: time, sequence: UInt32(truncatingIfNeeded: sequence),
            outcome: OutcomeCode.outcome(code: code, rttNanoseconds: rtt), source: SourceCode.source(code: source),
            kernelRTT: kernelRTT.map { .nanoseconds($0) }, note: note)
    }

    /// The rows of one series in a range of slots, in order of time; nil for a row that is damaged, with its slot.
    static func each(
        _ db: Database, series: SeriesRow, slots: ClosedRange<Int64>, _ body: (HotRow?, Int64) throws -> Void
    ) throws {
        let statement = try db.cachedStatement(
            sql: """
                WITH RECURSIVE span (slot) AS (
                    SELECT min(slot) FROM results WHERE slot >= ?1
                    UNION ALL
                    SELECT (SELECT min(slot) FROM results WHERE slot > span.slot) FROM span WHERE slot < ?2)
                SELECT \(columns) FROM span CROSS JOIN results AS r
                WHERE r.slot = span.slot AND r.slot <= ?2 AND r.series = ?3
                """)
        try FastRows(statement, [slots.lowerBound, slots.upperBound, series.id]).each { row in
            try body(HotRow(row, seed: series.seed), row.integer(0) ?? slots.lowerBound)
        }
    }

    /// The first slot that has rows.
    static func oldestSlot(_ db: Database, from slot: Int64 = .min) throws -> Int64? {
        try Row.fetchOne(
            db.cachedStatement(sql: "SELECT min(slot) FROM results WHERE slot >= ?"), arguments: [slot])?.integer(0)
    }

    /// The newest block that has or should have rows, up to a number; leaps over time without rows.
    static func newestBlock(_ db: Database, upTo block: Int64) throws -> Int64? {
        let slots = block.multipliedReportingOverflow(by: ResultTally.slots)
        let last = slots.overflow ? .max : slots.partialValue.addingSaturated(ResultTally.slots - 1)
        let found = try newestSlot(db, upTo: last).map { ResultTally.block(ofSlot: $0) }
        let expected = try ResultTallies.newest(db, upTo: block)
        return max(found ?? .min, expected ?? .min) == .min ? nil : max(found ?? .min, expected ?? .min)
    }

    /// The newest slot that has rows, up to a number; leaps over time without rows.
    static func newestSlot(_ db: Database, upTo slot: Int64) throws -> Int64? {
        try Row.fetchOne(
            db.cachedStatement(sql: "SELECT max(slot) FROM results WHERE slot <= ?"), arguments: [slot])?.integer(0)
    }
}
