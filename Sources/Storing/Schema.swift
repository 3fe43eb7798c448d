// The tables and views. docs/schema.md describes them to readers.
//
// A migration that a release has shipped is never edited; a change is a further migration.

internal import GRDB
internal import Model

/// The schema and its versions. Version n is reached by migration `vn`; `PRAGMA user_version` names it in the file.
struct Schema {
    /// "taut" in ASCII, `PRAGMA application_id`.
    static let applicationID: Int64 = 0x7461_7574

    struct Migration {
        var version: Int
        var apply: @Sendable (Database) throws -> Void
    }

    var migrations: [Migration]

    /// The schema of this release.
    static let current = Schema(migrations: [
        Migration(version: 1) { db in
            try db.execute(sql: SchemaText.tables)
            try db.execute(sql: SchemaText.views)
        },
        Migration(version: ResultTallies.version) { db in
            try db.execute(sql: ResultTallies.table)
            try db.execute(sql: ResultTallies.fill)
        },
        Migration(version: ServiceColumn.version) { db in
            try db.execute(sql: ServiceColumn.migration)
        },
    ])

    var version: Int { migrations.map(\.version).max() ?? 0 }

    var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        for migration in migrations {
            migrator.registerMigration("v\(migration.version)", foreignKeyChecks: .immediate) { db in
                try migration.apply(db)
                try db.execute(sql: "PRAGMA user_version = \(migration.version)")
            }
        }
        return migrator
    }

    /// Spells out the numbers of outcomes, which may have grown without the tables changing.
    static func fillOutcomes(_ db: Database) throws {
        for (code, outcome) in OutcomeCode.all {
            let standing =
                switch outcome.standing {
                case .answered: "answered"
                case .failed: "failed"
                case .unknown: "unknown"
                }
            try db.execute(
                sql: """
                    INSERT INTO outcomes (code, outcome, detail, standing) VALUES (?, ?, ?, ?)
                    ON CONFLICT (code) DO UPDATE SET outcome = excluded.outcome, detail = excluded.detail,
                        standing = excluded.standing
                        WHERE outcome IS NOT excluded.outcome OR detail IS NOT excluded.detail
                            OR standing IS NOT excluded.standing
                    """,
                arguments: [code, outcome.name, outcome.detail, standing])
        }
    }
}
