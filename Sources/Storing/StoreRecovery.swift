// Saving what can be saved of a damaged file, into a new one: `taut db recover`.

internal import Foundation
internal import GRDB
internal import Model

/// What was saved of each table, and what was not.
public struct StoreRecovery: Hashable, Sendable {
    public struct Table: Hashable, Sendable {
        public var name: String
        public var rows: Int64 = 0
        /// Rows that could be read and are not what was written.
        public var refused: Int64 = 0
        /// Whether some part of the table could not be read at all.
        public var isIncomplete = false
    }

    public var tables: [Table] = []

    /// Copies every row that can be read, and of rows with a checksum those that pass it, into a new file.
    ///
    /// The damaged file is opened for reading only and stays as it is. Throws where nothing in it can be read, or where
    /// the new file exists already.
    public static func run(from source: String, to destination: String) throws(StoreError) -> StoreRecovery {
        guard StateFiles.exists(source) else { throw .notFound(path: source) }
        guard !StateFiles.exists(destination) else {
            throw .cannotOpen(path: destination, reason: "it exists; what is saved goes into a new database")
        }
        do {
            let reader = try Connection.reader(path: source)
            let writer = try Connection.writer(path: destination, maxSize: 1 << 44) { _ in }
            try FileManager.default.setAttributes(
                [.posixPermissions: Int(StateFiles.fileMode)], ofItemAtPath: destination)
            try Schema.current.migrator.migrate(writer)
            try writer.write { try Schema.fillOutcomes($0) }
            var recovery = StoreRecovery()
            try reader.read { old in
                guard try Int64.fetchOne(old, sql: "PRAGMA application_id") == Schema.applicationID else {
                    throw StoreError.foreign(path: source)
                }
                try writer.write { new in recovery.tables = try Salvage(old: old, new: new).run() }
            }
            try writer.write { try Meta.set($0, .cleanStop, 0) }
            try writer.writeWithoutTransaction { try $0.execute(sql: "PRAGMA wal_checkpoint(TRUNCATE)") }
            try writer.close()
            return recovery
        } catch {
            throw Connection.storeError(error, path: source)
        }
    }
}

/// One salvage: tables are read from their first row on, and where that ends in damage, from their last row back.
private struct Salvage {
    let old: Database
    let new: Database

    /// Tables whose rows have no checksum, with their keys.
    private static let plain: [(name: String, key: String)] = [
        ("meta", "key"), ("targets", "id"), ("round_notes", "slot, series, at_us"), ("pending_hours", "hour_s"),
        ("passive_keys", "id"), ("capture_sources", "source"), ("verdicts", "target"), ("transitions", "id"),
        ("incident_rows", "id"), ("silences", "id"), ("events", "id"), ("capture_slots", "slot, source"),
        ("passive_rows", "start_us, key, source"),
        ("passive_hour_rows", "hour_s, key"),
    ]

    func run() throws -> [StoreRecovery.Table] {
        var tables = [try copy("series_rows", key: "id")]
        for (name, key) in Salvage.plain { tables.append(try copy(name, key: key)) }
        // Without its name a series is known by its number alone; its rows cannot pass their checksums then.
        let series = Dictionary(
            try SeriesRow.of(nil, new).map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        tables.append(
            try copy("results", key: "slot, series, at_us, sequence", columns: HotRow.columns + ", r.series") { row in
                guard let one = row.integer(9).flatMap({ series[$0] }) else { return false }
                return HotRow(row, seed: one.seed) != nil
            })
        if try old.tableExists("result_tallies") {
            tables.append(try copy("result_tallies", key: "block, series"))
            try ResultTallies.settle(new, series)
        }
        try new.execute(sql: ResultTallies.fill)
        for level in [PurgeLevel.chunks, .hours, .days] {
            var table = StoreRecovery.Table(name: level.table)
            for one in series.values.sorted(by: { $0.id < $1.id }) {
                let part = try copy(level, of: one)
                table.rows += part.rows
                table.refused += part.refused
                table.isIncomplete = table.isIncomplete || part.isIncomplete
            }
            tables.append(table)
        }
        return tables
    }

    private func copy(_ level: PurgeLevel, of one: SeriesRow) throws -> StoreRecovery.Table {
        if level == .chunks {
            return try copy(
                level.table, key: "t0_ms", where: "r.series = \(one.id)", columns: "r.t0_ms, r.results, r.data"
            ) { row in
                guard let time = row.integer(0), let results = row.integer(1), let data = row.bytes(2) else {
                    return false
                }
                return ChunkCoding.open(data, seed: one.seed, filedAt: time, results: results) != nil
            }
        }
        let figures: FigureRow.Level = level == .hours ? .hours : .days
        return try copy(
            level.table, key: "start_s", where: "r.series = \(one.id)", columns: "r.start_s, \(FigureRow.columns)"
        ) { row in
            guard let start = row.integer(0) else { return false }
            return FigureRow(row, from: 1, level: figures, seed: one.seed, start: start) != nil
        }
    }

    /// Copies the rows that `isSound` accepts. The columns read for it come before those that are copied.
    private func copy(
        _ name: String, key: String, where condition: String = "TRUE", columns: String = "NULL",
        _ isSound: (FastRows) -> Bool = { _ in true }
    ) throws -> StoreRecovery.Table {
        var table = StoreRecovery.Table(name: name)
        // An older file lacks columns that a later release added; those keep what they have without it.
        let present = Set(try old.columns(in: name).map(\.name))
        let copied = try new.columns(in: name).map(\.name).filter { present.contains($0) }
        let first = CInt(columns.split(separator: ",").count)
        let marks = Array(repeating: "?", count: copied.count).joined(separator: ", ")
        let insert = try new.cachedStatement(
            sql: "INSERT OR IGNORE INTO \(name) (\(copied.joined(separator: ", "))) VALUES (\(marks))")
        for order in ["ASC", "DESC"] {
            let sort = key.split(separator: ",").map { "r.\($0.trimmingCharacters(in: .whitespaces)) \(order)" }
            let sql = """
                SELECT \(columns), \(copied.map { "r.\"\($0)\"" }.joined(separator: ", ")) FROM \(name) AS r
                WHERE \(condition) ORDER BY \(sort.joined(separator: ", "))
                """
            do {
                try FastRows(try old.makeStatement(sql: sql), []).each { row in
                    guard isSound(row) else {
                        if order == "ASC" { table.refused += 1 }
                        return
                    }
                    let values = copied.indices.map { row.value(first + CInt($0)) }
                    // A row that breaks a rule of its table is not what was written either.
                    do {
                        try insert.execute(arguments: StatementArguments(values))
                        table.rows += Int64(new.changesCount)
                    } catch let error as DatabaseError where error.resultCode == .SQLITE_CONSTRAINT {
                        table.refused += 1
                    }
                }
                return table
            } catch let error as DatabaseError
                where [ResultCode.SQLITE_CORRUPT, .SQLITE_IOERR, .SQLITE_NOTADB, .SQLITE_ERROR].contains(
                    error.resultCode)
            {
                table.isIncomplete = true
            }
        }
        return table
    }
}
