// What captures missed, a row a source and slot: small enough to be kept as long as the hours are.

internal import GRDB
public import Model

/// What a capture source missed over a range.
public struct StoredCaptureLoss: Hashable, Sendable {
    public var source: String
    public var loss: CaptureLoss
}

/// Five minutes, numbered from 1970: fine enough to ask what was missed, few enough to keep as long as the hours.
enum CaptureSlot {
    static let seconds: Int64 = 300

    static func number(_ time: WallTime) -> Int64 { Slot.floored(time.seconds, by: seconds) }
}

extension Writer {
    /// Adds an interval to the slot that it began in.
    static func insertLoss(of summary: PassiveSummary, into db: Database) throws {
        let loss = summary.loss
        guard loss.packets > 0 || loss.isAny else { return }
        try db.cachedStatement(
            sql: """
                INSERT INTO capture_slots (slot, source, packets, kernel_drops, interface_drops, acknowledgements, gaps, shed)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (slot, source) DO UPDATE SET packets = packets + excluded.packets,
                    kernel_drops = kernel_drops + excluded.kernel_drops,
                    interface_drops = interface_drops + excluded.interface_drops,
                    acknowledgements = acknowledgements + excluded.acknowledgements, gaps = gaps + excluded.gaps,
                    shed = shed + excluded.shed
                """
        ).execute(arguments: [
            CaptureSlot.number(summary.start), StoredText.bound(summary.source), Int64(clamping: loss.packets),
            Int64(clamping: loss.kernelDrops), Int64(clamping: loss.interfaceDrops),
            Int64(clamping: loss.acknowledgements), Int64(clamping: loss.gaps), Int64(clamping: loss.shed),
        ])
    }
}

extension StoreReader {
    /// What each source missed in the slots (five minutes each) that lie in the range or overlap it, by name.
    public func captureLosses(since: WallTime, until: WallTime) throws(StoreError) -> [StoredCaptureLoss] {
        try read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT source, sum(packets), sum(kernel_drops), sum(interface_drops), sum(acknowledgements), sum(gaps),
                        sum(shed)
                    FROM capture_slots WHERE slot >= ? AND slot * ? < ? GROUP BY source ORDER BY source
                    """, arguments: [CaptureSlot.number(since), CaptureSlot.seconds, until.seconds]
            ).compactMap { row in
                guard let source = row.text(0) else { return nil }
                func count(_ column: Int) -> UInt64 { UInt64(max(0, row.integer(column) ?? 0)) }
                var loss = CaptureLoss()
                loss.packets = count(1)
                loss.kernelDrops = count(2)
                loss.interfaceDrops = count(3)
                loss.acknowledgements = count(4)
                loss.gaps = count(5)
                loss.shed = count(6)
                return StoredCaptureLoss(source: source, loss: loss)
            }
        }
    }
}
