// How a connection to the database is set up.

internal import GRDB
internal import GRDBSQLite
internal import Model

/// Opens connections and translates their errors.
enum Connection {
    static let pageSize: Int64 = 4096
    /// The log shrinks to this after a reader let it grow.
    static let logLimit: Int64 = 8 << 20

    /// The one writing connection. Never two of them at once: SQLite before 3.51.3 can then corrupt the file.
    ///
    /// `check` runs before anything is changed, and may refuse the file.
    static func writer(
        path: String, maxSize: Int64, check: @escaping @Sendable (Database) throws -> Void
    ) throws -> DatabaseQueue {
        var configuration = Configuration()
        configuration.foreignKeysEnabled = false
        configuration.busyMode = .timeout(5)
        configuration.label = "tautline.store"
        configuration.prepareDatabase { db in
            try check(db)
            // Only an empty file takes these, and only before it is in WAL mode.
            if try Int64.fetchOne(db, sql: "PRAGMA page_count") == 0 {
                try db.execute(sql: "PRAGMA page_size = \(pageSize); PRAGMA auto_vacuum = INCREMENTAL")
            }
            // Before anything else is in it, so that it is known as ours however early an end comes; the line above has
            // made a page, so a file without the id may not be empty any more.
            if try Int64.fetchOne(db, sql: "PRAGMA application_id") != Schema.applicationID {
                try db.execute(sql: "PRAGMA application_id = \(Schema.applicationID)")
            }
            let mode = try String.fetchOne(db, sql: "PRAGMA journal_mode = WAL")
            guard mode == "wal" else { throw StoreError.failed("the file system does not allow a write-ahead log") }
            try db.execute(
                sql: """
                    PRAGMA journal_size_limit = \(logLimit);
                    PRAGMA wal_autocheckpoint = 1000;
                    PRAGMA cache_size = -16384;
                    PRAGMA temp_store = MEMORY;
                    PRAGMA cell_size_check = ON;
                    PRAGMA max_page_count = \(max(maxSize / pageSize, 64));
                    """)
            try keepLog(db)
        }
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        // After the opening, since GRDB sets NORMAL of its own when it sets up a log; under NORMAL a power cut loses
        // minutes of commits.
        try queue.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = FULL") }
        return queue
    }

    /// A connection that cannot write.
    static func reader(path: String) throws -> DatabaseQueue {
        var configuration = Configuration()
        configuration.readonly = true
        configuration.foreignKeysEnabled = false
        configuration.busyMode = .timeout(5)
        configuration.label = "tautline.reader"
        // Finds damaged pages when they are read, before a wrong cell is. The cache holds the unsealed hour of a large
        // installation; it takes memory only for pages that are read.
        configuration.prepareDatabase {
            try $0.execute(sql: "PRAGMA cell_size_check = ON; PRAGMA cache_size = -16384")
        }
        return try DatabaseQueue(path: path, configuration: configuration)
    }

    /// Leaves log and shared memory in place after the last close, so that those who may only read can open the file.
    private static func keepLog(_ db: Database) throws {
        guard let connection = unsafe db.sqliteConnection else { return }
        var enabled: CInt = 1
        let code = unsafe sqlite3_file_control(connection, "main", SQLITE_FCNTL_PERSIST_WAL, &enabled)
        guard code == SQLITE_OK else { throw StoreError.failed("cannot keep the write-ahead log (code \(code))") }
    }

    /// Whether the log is kept; -1 asks.
    static func keepsLog(_ db: Database) -> Bool {
        guard let connection = unsafe db.sqliteConnection else { return false }
        var state: CInt = -1
        let code = unsafe sqlite3_file_control(connection, "main", SQLITE_FCNTL_PERSIST_WAL, &state)
        return code == SQLITE_OK && state == 1
    }

    /// What an error of SQLite means for the file at the path.
    static func storeError(_ error: any Error, path: String) -> StoreError {
        if let error = error as? StoreError { return error }
        guard let error = error as? DatabaseError else { return .failed("\(error)") }
        let reason = error.message ?? "SQLite error \(error.extendedResultCode.rawValue)"
        switch error.resultCode {
        case .SQLITE_NOTADB, .SQLITE_CORRUPT: return .corrupt(path: path, reason: reason)
        case .SQLITE_CANTOPEN, .SQLITE_PERM, .SQLITE_READONLY, .SQLITE_AUTH:
            return .cannotOpen(path: path, reason: reason)
        default: return .failed(reason)
        }
    }
}
