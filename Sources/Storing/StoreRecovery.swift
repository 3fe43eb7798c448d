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
            let writer = try newDatabase(destination)
            var recovery = StoreRecovery()
            var isRead = false
            do {
                try reader.read { old in
                    guard try Int64.fetchOne(old, sql: "PRAGMA application_id") == Schema.applicationID else {
                        throw StoreError.foreign(path: source)
                    }
                    try writer.write { new in recovery.tables = try Salvage(old: old, new: new).run() }
                    isRead = true
                }
            } catch let error as DatabaseError where isRead && error.resultCode == .SQLITE_CORRUPT {
                // SQLite fails the end of a read that met damage, too; what there is to save is saved by then.
            }
            try writer.write { try Meta.set($0, .cleanStop, 0) }
            try writer.writeWithoutTransaction { try $0.execute(sql: "PRAGMA wal_checkpoint(TRUNCATE)") }
            try writer.close()
            return recovery
        } catch {
            throw Connection.storeError(error, path: source)
        }
    }

    private static func newDatabase(_ path: String) throws -> DatabaseQueue {
        do {
            let writer = try Connection.writer(path: path, maxSize: 1 << 44) { _ in }
            try FileManager.default.setAttributes([.posixPermissions: Int(StateFiles.fileMode)], ofItemAtPath: path)
            try Schema.current.migrator.migrate(writer)
            try writer.write { try Schema.fillOutcomes($0) }
            return writer
        } catch {
            throw Connection.storeError(error, path: path)
        }
    }
}

/// One salvage: tables are read from their first row on, and where that ends in damage, from their last row back; what
/// lies between two damaged places is looked for by halves.
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
        let marks = Array(repeating: "?", count: copied.count).joined(separator: ", ")
        let insert = try new.cachedStatement(
            sql: "INSERT OR IGNORE INTO \(name) (\(copied.joined(separator: ", "))) VALUES (\(marks))")
        // Ranges of the first column of the key, the widest first; nil is the whole table.
        var ranges: [ClosedRange<Int64>?] = [nil]
        var next = 0
        while next < min(ranges.count, Salvage.maximumRanges) {
            let range = ranges[next]
            next += 1
            var ends: [Int64?] = []
            for order in ["ASC", "DESC"] {
                let pass = Pass(
                    table: name, key: key, condition: condition, columns: columns, copied: copied, order: order,
                    range: range)
                ends.append(nil)
                guard try copy(pass, isSound, insert, into: &table, reached: &ends[ends.count - 1]) else { break }
                table.isIncomplete = true
            }
            // Read to its end, or damaged: then from both sides, as far as it goes.
            guard ends.count == 2, let high = ends[1] ?? range?.upperBound else { continue }
            let low = ends[0] ?? range?.lowerBound ?? 0
            guard low < high else { continue }
            let middle = (low...high).middle
            if range != low...middle { ranges.append(low...middle) }
            if range != (middle + 1)...high { ranges.append((middle + 1)...high) }
        }
        return table
    }

    /// Looked into at most in one table, or one series of it.
    private static let maximumRanges = 4_096

    /// One reading of rows in one direction.
    private struct Pass {
        var table: String
        var key: String
        var condition: String
        var columns: String
        var copied: [String]
        var order: String
        var range: ClosedRange<Int64>?

        var sql: String {
            let names = key.split(separator: ",").map { "r.\($0.trimmingCharacters(in: .whitespaces))" }
            let within = range.map { " AND \(names[0]) BETWEEN \($0.lowerBound) AND \($0.upperBound)" } ?? ""
            return """
                SELECT \(columns), \(copied.map { "r.\"\($0)\"" }.joined(separator: ", ")), \(names[0])
                FROM \(table) AS r
                WHERE \(condition)\(within) ORDER BY \(names.map { "\($0) \(order)" }.joined(separator: ", "))
                """
        }
    }

    /// True where it ended in damage; `reached` is then the first column of the key of the last row before it.
    private func copy(
        _ pass: Pass, _ isSound: (FastRows) -> Bool, _ insert: Statement, into table: inout StoreRecovery.Table,
        reached: inout Int64?
    ) throws -> Bool {
        let first = CInt(pass.columns.split(separator: ",").count)
        do {
            try FastRows(try old.makeStatement(sql: pass.sql), []).each { row in
                let position = row.integer(first + CInt(pass.copied.count))
                reached = position ?? reached
                guard isSound(row) else {
                    // At the begin of a narrower range are rows that were seen before.
                    if pass.order == "ASC", pass.range == nil || position != pass.range?.lowerBound {
                        table.refused += 1
                    }
                    return
                }
                let values = pass.copied.indices.map { row.value(first + CInt($0)) }
                // A row that breaks a rule of its table is not what was written either.
                do {
                    try insert.execute(arguments: StatementArguments(values))
                    table.rows += Int64(new.changesCount)
                } catch let error as DatabaseError where error.resultCode == .SQLITE_CONSTRAINT {
                    table.refused += 1
                }
            }
            return false
        } catch let error as DatabaseError
            where [ResultCode.SQLITE_CORRUPT, .SQLITE_IOERR, .SQLITE_NOTADB, .SQLITE_ERROR].contains(error.resultCode)
        {
            return true
        }
    }
}

extension ClosedRange<Int64> {
    /// Half-way, whatever numbers a damaged file holds.
    var middle: Int64 {
        let length = UInt64(bitPattern: upperBound) &- UInt64(bitPattern: lowerBound)
        return lowerBound &+ Int64(truncatingIfNeeded: length / 2)
    }
}
