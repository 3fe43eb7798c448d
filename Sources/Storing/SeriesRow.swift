// Series by number, and the checksum of their names.

internal import GRDB
internal import Model
internal import Wire

/// A row of `series_rows`.
struct SeriesRow: Hashable {
    var id: Int64
    var key: SeriesKey
    var kind: ProbeKind
    /// What every checksum of the series' rows begins with, so that a damaged name does not pass its rows on.
    var seed: UInt32

    static func seed(id: Int64, target: String, probe: String, address: String) -> UInt32 {
        var sum = CRC32C()
        sum.add(id)
        for text in [target, probe, address] { sum.add(Optional(text)) }
        return sum.value
    }

    /// The series of a target, and of one of its probes where it is named.
    static func of(_ target: TargetID?, probe: String? = nil, _ db: Database) throws -> [SeriesRow] {
        let rows = try Row.fetchAll(
            db,
            sql: """
                SELECT id, target, probe, kind, address FROM series_rows
                WHERE (?1 IS NULL OR target = ?1) AND (?2 IS NULL OR probe = ?2) ORDER BY id
                """, arguments: [target?.rawValue, probe])
        return rows.compactMap { row in
            guard let id = row.integer(0), let name = row.text(1), let target = TargetID(rawValue: name),
                let probe = row.text(2), let address = row.text(4)
            else { return nil }
            return SeriesRow(
                id: id, key: SeriesKey(target: target, probe: probe, address: IPAddress(address)),
                kind: row.text(3).flatMap { ProbeKind(rawValue: $0) } ?? .icmp,
                seed: seed(id: id, target: name, probe: probe, address: address))
        }
    }
}
