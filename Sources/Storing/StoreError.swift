// Why the database cannot be used, as one sentence.

/// Why the database cannot be opened or read.
public enum StoreError: Error, Hashable, Sendable {
    /// There is no database at the path.
    case notFound(path: String)
    /// Another process has the state directory; its pid where it is known.
    case locked(path: String, pid: Int32?)
    /// Written by a later release: this one would misread it.
    case newerSchema(path: String, found: Int, supported: Int)
    /// An SQLite database, but not Tautline's.
    case foreign(path: String)
    /// The file or its directory cannot be opened, created or written.
    case cannotOpen(path: String, reason: String)
    /// The file is damaged; the daemon sets such a file aside when it starts.
    case corrupt(path: String, reason: String)
    /// A query or a system call failed.
    case failed(String)

    /// The exit status that tells an init system not to try again without a change: 78, EX_CONFIG of sysexits.h.
    public var exitStatus: Int32 { 78 }
}

extension StoreError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .notFound(let path):
            "no database at \(path): the daemon has not run yet, or keeps its state elsewhere (--db names the file)"
        case .locked(let path, let pid?):
            "\(path) is in use by process \(pid): only one daemon may write a database"
        case .locked(let path, nil):
            "\(path) is in use by another process: only one daemon may write a database"
        case .newerSchema(let path, let found, let supported):
            "\(path) was written by a newer release (schema \(found), this release knows \(supported)); it is left as it is"
        case .foreign(let path):
            "\(path) is an SQLite database of another program; it is left as it is"
        case .cannotOpen(let path, let reason):
            "cannot open \(path): \(reason)"
        case .corrupt(let path, let reason):
            "\(path) is damaged: \(reason)"
        case .failed(let reason):
            "database: \(reason)"
        }
    }
}
