// Rows without GRDB's row values: for scans of many thousand rows, where those would be most of the cost.

internal import Foundation
internal import GRDB
internal import GRDBSQLite

/// One run of a cached statement: the statement owns the handle and lives as long as this. Values of another type than asked for are nil, as a damaged file may hold them.
@safe
struct FastRows {
    private let statement: Statement
    private let handle: OpaquePointer

    init(_ statement: Statement, _ arguments: StatementArguments) throws {
        try statement.setArguments(arguments)
        self.statement = statement
        unsafe handle = statement.sqliteStatement
    }

    /// Calls `body` a row. Columns may be read within `body` only.
    func each(_ body: (FastRows) throws -> Void) throws {
        // The statement is reset whatever happens: one that stays open would hold its read lock.
        defer { unsafe sqlite3_reset(handle) }
        while true {
            switch unsafe sqlite3_step(handle) {
            case SQLITE_ROW: try body(self)
            case SQLITE_DONE: return
            case let code:
                let connection = unsafe sqlite3_db_handle(handle)
                let message = unsafe connection.flatMap { unsafe sqlite3_errmsg($0) }.map { unsafe String(cString: $0) }
                throw DatabaseError(resultCode: ResultCode(rawValue: code), message: message)
            }
        }
    }

    func integer(_ column: CInt) -> Int64? {
        unsafe sqlite3_column_type(handle, column) == SQLITE_INTEGER ? sqlite3_column_int64(handle, column) : nil
    }

    func text(_ column: CInt) -> String? {
        guard unsafe sqlite3_column_type(handle, column) == SQLITE_TEXT,
            let text = unsafe sqlite3_column_text(handle, column)
        else { return nil }
        return unsafe String(cString: text)
    }

    func bytes(_ column: CInt) -> [UInt8]? {
        guard unsafe sqlite3_column_type(handle, column) == SQLITE_BLOB else { return nil }
        // SQLite gives no pointer for a blob without bytes; else it is valid for `length` bytes until the next step.
        let length = unsafe Int(sqlite3_column_bytes(handle, column))
        guard length > 0, let start = unsafe sqlite3_column_blob(handle, column) else { return [] }
        return unsafe [UInt8](UnsafeRawBufferPointer(start: start, count: length))
    }

    /// The column as it is.
    func value(_ column: CInt) -> DatabaseValue {
        switch unsafe sqlite3_column_type(handle, column) {
        case SQLITE_INTEGER: unsafe sqlite3_column_int64(handle, column).databaseValue
        case SQLITE_FLOAT: unsafe sqlite3_column_double(handle, column).databaseValue
        case SQLITE_TEXT: (text(column) ?? "").databaseValue
        case SQLITE_BLOB: Data(bytes(column) ?? []).databaseValue
        default: .null
        }
    }
}
