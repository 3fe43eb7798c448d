// The record layer of TLS, RFC 8446, 5.1.
//
// Invariant: a view holds the five header bytes, and they are those of a record of TLS 1.0 to 1.3.

/// Where the fields of a record header lie, in bytes.
@usableFromInline
enum TLSRecordField {
    @usableFromInline static let type = 0
    @usableFromInline static let version = 1
    @usableFromInline static let length = 3
}

/// What a record carries.
public enum TLSContentType {
    public static let changeCipherSpec: UInt8 = 20
    public static let alert: UInt8 = 21
    public static let handshake: UInt8 = 22
    public static let applicationData: UInt8 = 23
    public static let heartbeat: UInt8 = 24
}

/// A record header and its fragment, read in place.
@frozen
public struct TLSRecord: ~Escapable {
    public static var headerLength: Int { 5 }
    /// Bytes of the longest fragment: 2^14, and 2,048 for what the ciphers of TLS 1.2 add (RFC 5246, 6.2.3).
    public static var longestFragment: Int { 16_384 + 2_048 }

    @usableFromInline let bytes: RawSpan

    /// Fails where fewer than five bytes are there, or they are not those of a record.
    @inlinable
    @_lifetime(copy bytes)
    public init?(_ bytes: RawSpan) {
        guard bytes.byteCount >= TLSRecord.headerLength else { return nil }
        let type = bytes.byte(at: TLSRecordField.type)
        let version = bytes.bigEndian16(at: TLSRecordField.version)
        let length = Int(bytes.bigEndian16(at: TLSRecordField.length))
        guard type >= 20, type <= 24, version >= 0x0300, version <= 0x0304, length > 0,
            length <= TLSRecord.longestFragment
        else { return nil }
        self.bytes = bytes
    }

    /// One of `TLSContentType`.
    @inlinable public var contentType: UInt8 { bytes.byte(at: TLSRecordField.type) }
    /// 0x0303 says nothing of the version in use (RFC 8446, 5.1).
    @inlinable public var version: UInt16 { bytes.bigEndian16(at: TLSRecordField.version) }
    /// Bytes of the fragment by the header.
    @inlinable public var length: Int { Int(bytes.bigEndian16(at: TLSRecordField.length)) }

    /// The fragment as far as it is there.
    @inlinable public var fragment: RawSpan {
        @_lifetime(copy self) get { bytes.suffix(from: TLSRecord.headerLength).prefix(length) }
    }

    /// What lies behind the record; empty where the record is not whole.
    @inlinable public var rest: RawSpan {
        @_lifetime(copy self) get { bytes.suffix(from: TLSRecord.headerLength &+ length) }
    }
}

/// The fields of a record header as values.
public struct TLSRecordHeader: Hashable, Sendable {
    public var contentType: UInt8
    public var version: UInt16

    public init(contentType: UInt8, version: UInt16 = 0x0303) {
        self.contentType = contentType
        self.version = version
    }

    public init(_ view: borrowing TLSRecord) {
        self.init(contentType: view.contentType, version: view.version)
    }

    /// Appends header and fragment; of a fragment above 65,535 bytes, the first 65,535.
    public func write(fragment: some Collection<UInt8>, to packet: inout [UInt8]) {
        packet.append(contentType)
        packet.append(bigEndian: version)
        packet.append(bigEndian: UInt16(clamping: fragment.count))
        packet.append(contentsOf: fragment.prefix(0xFFFF))
    }
}

extension TLSRecordHeader: CustomStringConvertible {
    public var description: String { "TLS record type \(contentType)" }
}
