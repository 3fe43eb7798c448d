// Text and lists as column values.

internal import Foundation
internal import GRDB
internal import Model

/// Text and lists as they are put into columns.
enum StoredText {
    /// Text as it is bound: SQLite's text ends at a NUL, which is spelt out as `\x00`. All else is kept.
    static func bound(_ text: String) -> String {
        text.utf8.contains(0)
            ? text.split(separator: "\0", omittingEmptySubsequences: false).joined(separator: "\\x00") : text
    }

    static func bound(_ text: String?) -> String? { text.map { bound($0) } }

    static func json(_ value: some Encodable) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(value) else { return "null" }
        return String(decoding: data, as: UTF8.self)
    }

    static func decoded<Value: Decodable>(_ type: Value.Type, from json: String?) -> Value? {
        guard let json else { return nil }
        // Most columns hold nothing, and a decoder takes its time over that too.
        if json == "[]", let empty = [] as [String] as? Value { return empty }
        if json == "{}", let empty = [:] as [String: String] as? Value { return empty }
        return try? JSONDecoder().decode(type, from: Data(json.utf8))
    }
}

/// A probe in the JSON of a target row.
struct ProbeColumn: Codable {
    var id: String
    var kind: String
    var intervalMicroseconds: Int64
    var timeoutMicroseconds: Int64

    enum CodingKeys: String, CodingKey {
        case id, kind
        case intervalMicroseconds = "interval_us"
        case timeoutMicroseconds = "timeout_us"
    }
}

/// Capture counters in the JSON of a capture row.
struct CaptureColumn: Codable {
    var packets: UInt64
    var bytes: UInt64
    var drops: [String: UInt64]
    var rejected: [String: UInt64]
    var retransmissions: UInt64
    var outOfOrder: UInt64
    var duplicates: UInt64
    var kernelDrops: UInt64
    var interfaceDrops: UInt64
    var acknowledgements: UInt64?
    var captureGaps: UInt64?
    var activeFlows: UInt64
    var evictedFlows: UInt64
    var refusedFlows: UInt64
    var overflowedKeys: UInt64

    init(_ counters: CaptureCounters) {
        packets = counters.packets
        bytes = counters.bytes
        drops = counters.drops
        rejected = counters.rejected
        retransmissions = counters.retransmissions
        outOfOrder = counters.outOfOrder
        duplicates = counters.duplicates
        kernelDrops = counters.kernelDrops
        interfaceDrops = counters.interfaceDrops
        acknowledgements = counters.acknowledgements
        captureGaps = counters.captureGaps
        activeFlows = counters.activeFlows
        evictedFlows = counters.evictedFlows
        refusedFlows = counters.refusedFlows
        overflowedKeys = counters.overflowedKeys
    }

    var counters: CaptureCounters {
        var counters = CaptureCounters()
        counters.packets = packets
        counters.bytes = bytes
        counters.drops = drops
        counters.rejected = rejected
        counters.retransmissions = retransmissions
        counters.outOfOrder = outOfOrder
        counters.duplicates = duplicates
        counters.kernelDrops = kernelDrops
        counters.interfaceDrops = interfaceDrops
        counters.acknowledgements = acknowledgements ?? 0
        counters.captureGaps = captureGaps ?? 0
        counters.activeFlows = activeFlows
        counters.evictedFlows = evictedFlows
        counters.refusedFlows = refusedFlows
        counters.overflowedKeys = overflowedKeys
        return counters
    }
}

extension Row {
    // GRDB's typed subscripts trap on a value of another type, which a damaged file may hold; these are total.

    func integer(_ index: Int) -> Int64? {
        let value: DatabaseValue = self[index]
        return Int64.fromDatabaseValue(value)
    }

    func count(_ index: Int) -> UInt64 { UInt64(clamping: integer(index) ?? 0) }

    func text(_ index: Int) -> String? {
        let value: DatabaseValue = self[index]
        return String.fromDatabaseValue(value)
    }

    func blob(_ index: Int) -> Data? {
        let value: DatabaseValue = self[index]
        return Data.fromDatabaseValue(value)
    }

    func time(_ index: Int) -> WallTime? { integer(index).map { WallTime(nanoseconds: $0) } }
}
