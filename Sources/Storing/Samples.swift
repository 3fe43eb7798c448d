// Rows of what is measured: results of rounds, cells of passive summaries.

internal import Foundation
internal import GRDB
internal import Model
internal import Statistics
internal import Wire

/// An hour that has rows which are not in its roll-up yet.
struct PendingHour: Hashable, Sendable {
    enum Level: String, Sendable { case results, passive }

    var level: Level
    var start: Int64

    static func note(_ hour: PendingHour, in db: Database, known: inout Writer.Known) throws {
        guard !known.pending.contains(hour) else { return }
        try db.cachedStatement(sql: "INSERT OR IGNORE INTO pending_hours (level, hour_s) VALUES (?, ?)").execute(
            arguments: [hour.level.rawValue, hour.start])
        if known.pending.count >= Writer.knownLimit { known.pending = [] }
        known.pending.insert(hour)
    }
}

extension Writer {
    static func insert(_ round: Round, into db: Database, known: inout Known) throws {
        let statement = try db.cachedStatement(
            sql: """
                INSERT OR IGNORE INTO results (slot, series, at_us, sequence, outcome, rtt_ns, source, kernel_rtt_ns, note)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                """)
        for result in round.results {
            let slot = Slot(result.sent)
            let series = try seriesID(of: round, slot: slot.number, in: db, known: &known)
            let hour = PendingHour(level: .results, start: Hour.start(ofSlot: slot.number))
            try PendingHour.note(hour, in: db, known: &known)
            try statement.execute(arguments: [
                slot.number, series, slot.offset, Int64(result.sequence), OutcomeCode.code(of: result.outcome),
                OutcomeCode.rttNanoseconds(of: result.outcome), SourceCode.code(of: result.source),
                result.kernelRTT?.clampedNanoseconds, StoredText.bound(result.note),
            ])
        }
        try insertNote(of: round, into: db, known: &known)
    }

    /// What was unusual about a round as a whole; most rounds have nothing of the kind and no row.
    private static func insertNote(of round: Round, into db: Database, known: inout Known) throws {
        let lateness = round.lateness.clampedNanoseconds / 1000
        guard
            round.missedTicks > 0 || round.duplicates > 0 || round.foreign > 0 || round.staleAddressAge != nil
                || lateness >= 10_000
        else { return }
        let slot = Slot(round.scheduled)
        let series = try seriesID(of: round, slot: slot.number, in: db, known: &known)
        try PendingHour.note(
            PendingHour(level: .results, start: Hour.start(ofSlot: slot.number)), in: db, known: &known)
        try db.cachedStatement(
            sql: """
                INSERT OR REPLACE INTO round_notes (slot, series, at_us, lateness_us, missed, duplicates, foreign_replies,
                    stale_address_s) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """
        ).execute(arguments: [
            slot.number, series, slot.offset, lateness, Int64(round.missedTicks), Int64(round.duplicates),
            Int64(round.foreign), round.staleAddressAge.map { $0.clampedNanoseconds / 1_000_000_000 },
        ])
    }

    /// The number of a round's series, which is made where it is new; keeps the span of slots it has rows in.
    private static func seriesID(
        of round: Round, slot: Int64, in db: Database, known: inout Known
    ) throws -> Int64 {
        if let entry = known.series[round.series], entry.slots.contains(slot) { return entry.id }
        let key = round.series
        let row = try Row.fetchOne(
            db.cachedStatement(
                sql: """
                    INSERT INTO series (target, probe, kind, address, first_slot, last_slot) VALUES (?1, ?2, ?3, ?4, ?5, ?5)
                    ON CONFLICT (target, probe, address) DO UPDATE SET kind = excluded.kind,
                        first_slot = min(first_slot, excluded.first_slot), last_slot = max(last_slot, excluded.last_slot)
                    RETURNING id, first_slot, last_slot
                    """),
            arguments: [
                key.target.rawValue, StoredText.bound(key.probe), round.kind.rawValue, key.address?.description ?? "",
                slot,
            ])
        guard let row, let id = row.integer(0), let first = row.integer(1), let last = row.integer(2) else {
            throw StoreError.failed("a series row without a number")
        }
        if known.series.count >= knownLimit { known.series = [:] }
        known.series[key] = SeriesEntry(id: id, slots: min(first, last)...max(first, last))
        return id
    }

    static func insert(_ summary: PassiveSummary, into db: Database, known: inout Known) throws {
        let start = Slot.floored(summary.start.nanoseconds, by: 1000)
        let span = max(0, (summary.end - summary.start).clampedNanoseconds / 1000)
        let hour = Hour.start(of: summary.start)
        let statement = try db.cachedStatement(
            sql: """
                INSERT OR REPLACE INTO passive_rows (start_us, key, source, span_us, failures, retransmissions, sketch)
                VALUES (?, ?, ?, ?, ?, ?, ?)
                """)
        for (key, cell) in summary.cells {
            let id = try passiveKeyID(of: key, hour: hour, in: db, known: &known)
            try statement.execute(arguments: [
                start, id, StoredText.bound(summary.source), span, Int64(clamping: cell.failures),
                Int64(clamping: cell.retransmissions), Data(cell.histogram.encoded()),
            ])
        }
        if !summary.cells.isEmpty {
            try PendingHour.note(PendingHour(level: .passive, start: hour), in: db, known: &known)
        }
        try db.cachedStatement(
            sql: "INSERT OR REPLACE INTO capture_sources (source, end_ns, counters) VALUES (?, ?, ?)"
        ).execute(arguments: [
            StoredText.bound(summary.source), summary.end.nanoseconds, StoredText.json(CaptureColumn(summary.counters)),
        ])
        try insertLoss(of: summary, into: db)
    }

    private static func passiveKeyID(
        of key: PassiveKey, hour: Int64, in db: Database, known: inout Known
    ) throws -> Int64 {
        if let id = known.passiveKeys[key] { return id }
        let columns: StatementArguments = [
            StoredText.bound(key.service), StoredText.bound(key.peer), StoredText.bound(key.interface),
            key.kind.rawValue, key.side.rawValue,
        ]
        let found = try Row.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT id FROM passive_keys
                    WHERE service IS ? AND peer IS ? AND interface = ? AND kind = ? AND side = ?
                    """), arguments: columns)?.integer(0)
        let id: Int64
        if let found {
            id = found
            try db.cachedStatement(sql: "UPDATE passive_keys SET last_hour_s = max(last_hour_s, ?) WHERE id = ?")
                .execute(arguments: [hour, id])
        } else {
            try db.cachedStatement(
                sql: """
                    INSERT INTO passive_keys (service, peer, interface, kind, side, last_hour_s) VALUES (?, ?, ?, ?, ?, ?)
                    """
            ).execute(arguments: columns + [hour])
            id = db.lastInsertedRowID
        }
        if known.passiveKeys.count >= knownLimit { known.passiveKeys = [:] }
        known.passiveKeys[key] = id
        return id
    }
}
