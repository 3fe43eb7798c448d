// Rows of what is measured: results of rounds, cells of passive summaries.

internal import Foundation
internal import GRDB
internal import Model
internal import Statistics
internal import Wire

extension Writer {
    static func insert(_ round: Round, into db: Database, known: inout Known) throws {
        let statement = try db.cachedStatement(
            sql: """
                INSERT OR IGNORE INTO results (slot, series, at_us, sequence, outcome, rtt_ns, source, kernel_rtt_ns,
                    note, crc)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """)
        let series = try entry(of: round, in: db, known: &known)
        for result in round.results {
            let slot = Slot(result.sent)
            var row = HotRow(
                slot: slot.number, offset: slot.offset, sequence: Int64(result.sequence),
                code: Int64(OutcomeCode.code(of: result.outcome)),
                rtt: OutcomeCode.rttNanoseconds(of: result.outcome),
                source: Int64(SourceCode.code(of: result.source)),
                kernelRTT: result.kernelRTT?.clampedNanoseconds, note: StoredText.bound(result.note))
            row.crc = row.checksum(seed: series.seed)
            try statement.execute(arguments: [
                row.slot, series.id, row.offset, row.sequence, row.code, row.rtt, row.source, row.kernelRTT,
                row.note,
                row.crc,
            ])
            // A row that is there already is counted already.
            guard db.changesCount > 0 else { continue }
            let block = ResultBlock(block: ResultTally.block(ofSlot: row.slot), series: series.id)
            known.tallies[block, default: ResultTally()].add(row)
        }
        try insertNote(of: round, series: series.id, into: db)
    }

    /// What was unusual about a round as a whole; most rounds have nothing of the kind and no row.
    private static func insertNote(of round: Round, series: Int64, into db: Database) throws {
        let lateness = round.lateness.clampedNanoseconds / 1000
        guard
            round.missedTicks > 0 || round.duplicates > 0 || round.foreign > 0 || round.staleAddressAge != nil
                || lateness >= 10_000
        else { return }
        let slot = Slot(round.scheduled)
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

    private static func entry(of round: Round, in db: Database, known: inout Known) throws -> SeriesEntry {
        if let entry = known.series[round.series], entry.kind == round.kind { return entry }
        let entry = try entry(of: round.series, kind: round.kind, in: db)
        if known.series.count >= knownLimit { known.series = [:] }
        known.series[round.series] = entry
        return entry
    }

    /// The number of a series, which is made where it is new.
    static func entry(of key: SeriesKey, kind: ProbeKind, in db: Database) throws -> SeriesEntry {
        let probe = StoredText.bound(key.probe)
        let address = key.address?.description ?? ""
        let id = try Row.fetchOne(
            db.cachedStatement(
                sql: """
                    INSERT INTO series_rows (target, probe, kind, address) VALUES (?1, ?2, ?3, ?4)
                    ON CONFLICT (target, probe, address) DO UPDATE SET kind = excluded.kind RETURNING id
                    """), arguments: [key.target.rawValue, probe, kind.rawValue, address])?.integer(0)
        guard let id else { throw StoreError.failed("a series row without a number") }
        return SeriesEntry(
            id: id, seed: SeriesRow.seed(id: id, target: key.target.rawValue, probe: probe, address: address),
            kind: kind)
    }

    static func insert(_ summary: PassiveSummary, into db: Database, known: inout Known) throws {
        let start = Slot.floored(summary.start.nanoseconds, by: 1000)
        let span = max(0, (summary.end - summary.start).clampedNanoseconds / 1000)
        let hour = Hour.start(of: summary.start)
        let statement = try db.cachedStatement(
            sql: """
                INSERT OR REPLACE INTO passive_rows (start_us, key, source, span_us, failures, retransmissions, sketch,
                    crc) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """)
        for (key, cell) in summary.cells {
            let id = try passiveKeyID(of: key, cell.serviceSources, hour: hour, in: db, known: &known)
            try statement.execute(arguments: [
                start, id, StoredText.bound(summary.source), span, Int64(clamping: cell.failures),
                Int64(clamping: cell.retransmissions), Data(cell.histogram.encoded()),
                RollUp.checksum(cell, key: id, start: start),
            ])
        }
        if !summary.cells.isEmpty, known.pending.insert(hour).inserted {
            if known.pending.count > knownLimit { known.pending = [hour] }
            try db.cachedStatement(sql: "INSERT OR IGNORE INTO pending_hours (hour_s) VALUES (?)").execute(
                arguments: [hour])
        }
        try db.cachedStatement(
            sql: "INSERT OR REPLACE INTO capture_sources (source, end_ns, counters) VALUES (?, ?, ?)"
        ).execute(arguments: [
            StoredText.bound(summary.source), summary.end.nanoseconds, StoredText.json(CaptureColumn(summary.counters)),
        ])
        try insertLoss(of: summary, into: db)
    }

    private static func passiveKeyID(
        of key: PassiveKey, _ sources: ServiceSources, hour: Int64, in db: Database, known: inout Known
    ) throws -> Int64 {
        if let entry = known.passiveKeys[key], entry.sources.isSuperset(of: sources) { return entry.id }
        let columns: StatementArguments = [
            StoredText.bound(key.service), StoredText.bound(key.peer), StoredText.bound(key.interface),
            key.kind.rawValue, key.side.rawValue,
        ]
        let found = try Row.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT id, sources FROM passive_keys
                    WHERE service IS ? AND peer IS ? AND interface = ? AND kind = ? AND side = ?
                    """), arguments: columns)
        let all = sources.union(ServiceColumn.sources(found?.integer(1)))
        let id: Int64
        if let present = found?.integer(0) {
            id = present
            try db.cachedStatement(
                sql: "UPDATE passive_keys SET last_hour_s = max(last_hour_s, ?), sources = sources | ? WHERE id = ?"
            ).execute(arguments: [hour, Int64(sources.rawValue), id])
        } else {
            try db.cachedStatement(
                sql: """
                    INSERT INTO passive_keys (service, peer, interface, kind, side, last_hour_s, sources)
                    VALUES (?, ?, ?, ?, ?, ?, ?)
                    """
            ).execute(arguments: columns + [hour, Int64(sources.rawValue)])
            id = db.lastInsertedRowID
        }
        if known.passiveKeys.count >= knownLimit { known.passiveKeys = [:] }
        known.passiveKeys[key] = PassiveEntry(id: id, sources: all)
        return id
    }
}
