// How much of a TCP stream a ClientHello takes: one record usually, several where it is cut (RFC 8446, 5.1).

internal import Wire

enum TLSHelloFraming {
    /// Bytes of the fragment of the record at `offset`; nil where there is none.
    static func recordLength(_ stream: RawSpan, at offset: Int) -> Int? {
        guard let record = TLSRecord(stream.suffix(from: offset)) else { return nil }
        return record.length
    }

    /// Bytes of the stream that a hello takes, with the headers of the records that it lies in; nil where that cannot
    /// be told yet.
    static func length(_ stream: RawSpan) -> Int? {
        guard let record = TLSRecord(stream) else { return nil }
        if let handshake = TLSHandshake(record.fragment), record.length >= handshake.length &+ TLSHandshake.headerLength
        {
            return TLSRecord.headerLength &+ TLSHandshake.headerLength &+ handshake.length
        }
        return lengthOverRecords(stream)
    }

    /// The same of a hello that is cut into records. Each step goes forward by a header at least.
    private static func lengthOverRecords(_ stream: RawSpan) -> Int? {
        var wanted = 0
        var header: InlineArray<4, UInt8> = InlineArray(repeating: 0)
        var taken = 0
        var offset = 0
        while let record = TLSRecord(stream.suffix(from: offset)), record.contentType == TLSContentType.handshake {
            let fragment = record.fragment
            for position in 0..<fragment.byteCount where taken &+ position < 4 {
                header[taken &+ position] = fragment.byte(at: position)
            }
            if taken &+ fragment.byteCount >= 4 {
                wanted = 4 &+ (Int(header[1]) &<< 16 | Int(header[2]) &<< 8 | Int(header[3]))
                if taken &+ record.length >= wanted {
                    return offset &+ TLSRecord.headerLength &+ (wanted &- taken)
                }
            }
            taken &+= record.length
            offset &+= TLSRecord.headerLength &+ record.length
        }
        return nil
    }
}
