// Rows of `chunks`.

internal import Foundation
internal import GRDB
internal import Model

enum ChunkRows {
    /// Stores results of one series; what is there already is never overwritten.
    static func insert(_ db: Database, _ chunk: Chunk, series: Int64, seed: UInt32) throws {
        let taken = try db.cachedStatement(sql: "SELECT 1 FROM chunks WHERE series = ? AND t0_ms = ?")
        let statement = try db.cachedStatement(
            sql: "INSERT INTO chunks (series, t0_ms, results, data) VALUES (?, ?, ?, ?)")
        for piece in chunk.pieces() {
            // Late results may begin at the very moment of an earlier chunk, which keeps its place.
            var time = piece.first
            while try Row.fetchOne(taken, arguments: [series, time]) != nil { time = time.addingSaturated(1) }
            let data = ChunkCoding.sealed(piece.body, seed: seed, filedAt: time, results: piece.count)
            try statement.execute(arguments: [series, time, piece.count, Data(data)])
        }
    }

    /// The chunks of a series that are filed from one time to another (ms); nil for one that is damaged.
    static func each(
        _ db: Database, series: SeriesRow, from: Int64, to: Int64, _ body: (Int64, Chunk?) throws -> Void
    ) throws {
        guard from <= to else { return }
        let statement = try db.cachedStatement(
            sql: "SELECT t0_ms, results, data FROM chunks WHERE series = ? AND t0_ms >= ? AND t0_ms <= ?")
        try FastRows(statement, [series.id, from, to]).each { row in
            guard let time = row.integer(0) else { return }
            guard let results = row.integer(1), let data = row.bytes(2) else { return try body(time, nil) }
            try body(
                time, ChunkCoding.open(data, seed: series.seed, filedAt: time, results: results))
        }
    }

    /// When the first chunk of a series from a time on begins.
    static func first(_ db: Database, series: Int64, from: Int64 = .min) throws -> Int64? {
        try Row.fetchOne(
            db.cachedStatement(sql: "SELECT min(t0_ms) FROM chunks WHERE series = ? AND t0_ms >= ?"),
            arguments: [series, from])?.integer(0)
    }

    /// The newest chunk of a series that begins before a time.
    static func newest(_ db: Database, series: Int64, before time: Int64) throws -> Int64? {
        try Row.fetchOne(
            db.cachedStatement(sql: "SELECT max(t0_ms) FROM chunks WHERE series = ? AND t0_ms < ?"),
            arguments: [series, time])?.integer(0)
    }
}
