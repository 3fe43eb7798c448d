// Capture files for tests: classic pcap (micro- and nanoseconds) and pcapng.

public import Model

/// One record of a capture file.
public struct CaptureRecord: Hashable, Sendable {
    public var time: WallTime
    /// What was captured.
    public var bytes: [UInt8]
    /// Length on the wire; more than `bytes` where the snap length cut it.
    public var wireLength: Int

    public init(time: WallTime, bytes: [UInt8], wireLength: Int? = nil) {
        self.time = time
        self.bytes = bytes
        self.wireLength = wireLength ?? bytes.count
    }

    /// The record as a capture with this snap length would hold it.
    public func cut(to snapLength: Int) -> CaptureRecord {
        CaptureRecord(time: time, bytes: Array(bytes.prefix(snapLength)), wireLength: wireLength)
    }
}

/// Writes records as the bytes of a capture file.
public enum CaptureFileWriter {
    public enum Format: Hashable, Sendable, CaseIterable {
        case microseconds, nanoseconds, pcapng
    }

    /// LINKTYPE_ numbers of www.tcpdump.org/linktypes.html.
    public enum LinkType {
        public static let null: UInt32 = 0
        public static let ethernet: UInt32 = 1
        public static let ppp: UInt32 = 9
        public static let pppSerial: UInt32 = 50
        public static let pppEthernet: UInt32 = 51
        public static let raw: UInt32 = 101
        public static let loop: UInt32 = 108
        public static let cooked: UInt32 = 113
        public static let ipv4: UInt32 = 228
        public static let ipv6: UInt32 = 229
        public static let cooked2: UInt32 = 276
    }

    /// The whole file, in little-endian order.
    public static func file(
        _ records: [CaptureRecord], link: UInt32 = LinkType.ethernet, format: Format = .microseconds
    ) -> [UInt8] {
        format == .pcapng ? blocks(records, link: link) : classic(records, link: link, format: format)
    }

    private static func classic(_ records: [CaptureRecord], link: UInt32, format: Format) -> [UInt8] {
        var file: [UInt8] = []
        file.append(little: format == .nanoseconds ? UInt32(0xA1B2_3C4D) : 0xA1B2_C3D4)
        file.append(little: UInt16(2))
        file.append(little: UInt16(4))
        file.append(little: UInt64(0))
        file.append(little: UInt32(262_144))
        file.append(little: link)
        for record in records {
            let rest = record.time.nanoseconds - record.time.seconds * 1_000_000_000
            file.append(little: UInt32(truncatingIfNeeded: record.time.seconds))
            file.append(little: UInt32(truncatingIfNeeded: format == .nanoseconds ? rest : rest / 1_000))
            file.append(little: UInt32(record.bytes.count))
            file.append(little: UInt32(record.wireLength))
            file.append(contentsOf: record.bytes)
        }
        return file
    }

    /// A section header, one interface with nanosecond times, and enhanced packet blocks.
    private static func blocks(_ records: [CaptureRecord], link: UInt32) -> [UInt8] {
        var file: [UInt8] = []
        var section: [UInt8] = []
        section.append(little: UInt32(0x1A2B_3C4D))
        section.append(little: UInt16(1))
        section.append(little: UInt16(0))
        section.append(little: UInt64.max)
        block(0x0A0D_0D0A, section, to: &file)
        var interface: [UInt8] = []
        interface.append(little: UInt16(truncatingIfNeeded: link))
        interface.append(little: UInt16(0))
        interface.append(little: UInt32(262_144))
        // if_tsresol: 10^-9 seconds, then the end of the options.
        interface.append(contentsOf: [9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0])
        block(1, interface, to: &file)
        for record in records {
            let time = UInt64(bitPattern: record.time.nanoseconds)
            var packet: [UInt8] = []
            packet.append(little: UInt32(0))
            packet.append(little: UInt32(truncatingIfNeeded: time >> 32))
            packet.append(little: UInt32(truncatingIfNeeded: time))
            packet.append(little: UInt32(record.bytes.count))
            packet.append(little: UInt32(record.wireLength))
            packet.append(contentsOf: record.bytes)
            block(6, packet, to: &file)
        }
        return file
    }

    private static func block(_ type: UInt32, _ body: [UInt8], to file: inout [UInt8]) {
        let padding = (4 - body.count % 4) % 4
        let length = UInt32(12 + body.count + padding)
        file.append(little: type)
        file.append(little: length)
        file.append(contentsOf: body)
        file.append(contentsOf: repeatElement(0, count: padding))
        file.append(little: length)
    }
}

extension [UInt8] {
    fileprivate mutating func append<Number: FixedWidthInteger>(little value: Number) {
        for shift in stride(from: 0, to: Number.bitWidth, by: 8) { append(UInt8(truncatingIfNeeded: value >> shift)) }
    }
}
