// The framing of netlink: netlink(7), RFC 3549. Host byte order, everything aligned to four bytes.

/// One netlink message, read from what the kernel sent.
struct NetlinkMessage {
    static let headerLength = 16

    var type: UInt16
    var flags: UInt16
    var sequence: UInt32
    /// What follows the header.
    var payload: ArraySlice<UInt8>

    /// The messages in `bytes`. Stops at the first that claims more than is there or less than its header.
    static func each(in bytes: ArraySlice<UInt8>, _ body: (NetlinkMessage) -> Void) {
        var rest = bytes
        while let length = rest.host32(0), length >= headerLength, Int(length) <= rest.count,
            let type = rest.host16(4), let flags = rest.host16(6), let sequence = rest.host32(8)
        {
            let payload = rest.dropFirst(headerLength).prefix(Int(length) - headerLength)
            body(NetlinkMessage(type: type, flags: flags, sequence: sequence, payload: payload))
            rest = rest.dropFirst(Self.aligned(Int(length)))
        }
    }

    /// The attributes behind `offset` bytes of the payload, by type; the first of a type wins.
    func attributes(after offset: Int) -> NetlinkAttributes { NetlinkAttributes(payload.dropFirst(offset)) }

    static func aligned(_ length: Int) -> Int { (length + 3) & ~3 }
}

/// A run of netlink attributes (type, length, value).
struct NetlinkAttributes {
    private var values: [UInt16: ArraySlice<UInt8>] = [:]

    init(_ bytes: ArraySlice<UInt8>) {
        var rest = bytes
        while let length = rest.host16(0), length >= 4, Int(length) <= rest.count, let type = rest.host16(2) {
            // The two highest bits are flags: nested, and network byte order.
            let plain = type & 0x3FFF
            if values[plain] == nil { values[plain] = rest.dropFirst(4).prefix(Int(length) - 4) }
            rest = rest.dropFirst(NetlinkMessage.aligned(Int(length)))
        }
    }

    subscript(type: Int) -> ArraySlice<UInt8>? { values[UInt16(truncatingIfNeeded: type)] }

    /// A C string without its terminating zero.
    func text(_ type: Int) -> String? {
        self[type].map { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    func number(_ type: Int) -> UInt32? { self[type]?.host32(0) }
}

extension ArraySlice<UInt8> {
    /// The byte at `offset` from the start of the slice.
    func host8(_ offset: Int) -> UInt8? { offset >= 0 && offset < count ? self[startIndex + offset] : nil }

    /// Sixteen bits in host byte order; every platform of ours is little-endian or goes by the runtime's order.
    func host16(_ offset: Int) -> UInt16? {
        guard let first = host8(offset), let second = host8(offset + 1) else { return nil }
        return UInt16(littleEndian: UInt16(first) | UInt16(second) << 8)
    }

    func host32(_ offset: Int) -> UInt32? {
        guard let low = host16(offset), let high = host16(offset + 2) else { return nil }
        #if _endian(little)
            return UInt32(low) | UInt32(high) << 16
        #else
            return UInt32(high) | UInt32(low) << 16
        #endif
    }
}
