// Packets and conversations for tests, written with the writers of `Wire`.

public import Model
public import Wire

/// Builds the records of a capture, one packet after the other, at times in milliseconds from a fixed start.
public struct PacketBuilder: Sendable {
    /// 2023-11-14T22:13:20Z, as in the crafted files.
    public static let start = WallTime(seconds: 1_700_000_000)

    public var framing: PacketFraming
    public private(set) var records: [CaptureRecord] = []
    /// The identification of the next IPv4 packet; counts up, 0 is left out.
    public var identification: UInt16 = 1

    public init(framing: PacketFraming = .ethernet) {
        self.framing = framing
    }

    /// Adds an IP packet of any protocol.
    public mutating func add(
        at milliseconds: Double, from source: IPAddress, to destination: IPAddress, protocolNumber: IPProtocol,
        payload: [UInt8], extensions: [UInt8] = []
    ) {
        var packet: [UInt8] = []
        if source.isIPv6 {
            // Each extension header here is eight bytes of padding options.
            var body: [UInt8] = []
            for (index, _) in extensions.enumerated() {
                let next = index + 1 < extensions.count ? extensions[index + 1] : protocolNumber.rawValue
                body += [next, 0, 1, 4, 0, 0, 0, 0]
            }
            IPv6Header(
                source: source, destination: destination,
                nextHeader: extensions.first.map { IPProtocol(rawValue: $0) } ?? protocolNumber
            ).write(payload: body + payload, to: &packet)
        } else {
            IPv4Header(
                source: source, destination: destination, protocolNumber: protocolNumber,
                identification: identification
            ).write(payload: payload, to: &packet)
            identification = identification == .max ? 1 : identification + 1
        }
        add(at: milliseconds, frame: framing.frame(packet, isIPv6: source.isIPv6))
    }

    /// Adds a record as it stands.
    public mutating func add(at milliseconds: Double, frame: [UInt8], wireLength: Int? = nil) {
        let offset = Int64((milliseconds * 1_000_000).rounded())
        let time = WallTime(nanoseconds: PacketBuilder.start.nanoseconds + offset)
        records.append(CaptureRecord(time: time, bytes: frame, wireLength: wireLength))
    }

    /// Adds the last record once more, this much later.
    public mutating func repeatLast(after milliseconds: Double) {
        guard var record = records.last else { return }
        record.time.nanoseconds += Int64((milliseconds * 1_000_000).rounded())
        records.append(record)
    }

    /// Cuts every record so far to the snap length.
    public mutating func cut(to snapLength: Int) { records = records.map { $0.cut(to: snapLength) } }

    /// Pads every record so far to at least 60 bytes, as Ethernet does.
    public mutating func pad(with filler: UInt8 = 0xAA) {
        records = records.map { record in
            var padded = record
            padded.bytes += [UInt8](repeating: filler, count: max(0, 60 - record.bytes.count))
            padded.wireLength = max(padded.wireLength, padded.bytes.count)
            return padded
        }
    }

    /// The records as a file of the framing's link type.
    public func file(format: CaptureFileWriter.Format = .microseconds) -> [UInt8] {
        CaptureFileWriter.file(records, link: framing.link, format: format)
    }
}

/// Two parties of a TCP connection or of a transaction.
public struct Endpoints: Hashable, Sendable {
    public var client: IPAddress
    public var clientPort: UInt16
    public var server: IPAddress
    public var serverPort: UInt16

    public init(client: IPAddress, clientPort: UInt16, server: IPAddress, serverPort: UInt16) {
        self.client = client
        self.clientPort = clientPort
        self.server = server
        self.serverPort = serverPort
    }

    /// The parties of the crafted files: 10.0.0.1:40000 and 192.0.2.9:443.
    public static let ipv4 = Endpoints(
        client: IPAddress(v4: 0x0A00_0001), clientPort: 40_000, server: IPAddress(v4: 0xC000_0209), serverPort: 443)
    /// 2001:db8::1 port 40000 and 2001:db8::9 port 443.
    public static let ipv6 = Endpoints(
        client: IPAddress(v6High: 0x2001_0DB8_0000_0000, low: 1), clientPort: 40_000,
        server: IPAddress(v6High: 0x2001_0DB8_0000_0000, low: 9), serverPort: 443)
    /// A client at 10.0.0.1:33333 and a resolver at 10.0.0.53.
    public static let dns = Endpoints(
        client: IPAddress(v4: 0x0A00_0001), clientPort: 33_333, server: IPAddress(v4: 0x0A00_0035), serverPort: 53)
}

extension PacketBuilder {
    /// One TCP segment; `ts` is (TSval, TSecr).
    public mutating func tcp(
        _ milliseconds: Double, fromClient: Bool, _ flags: TCPFlags, seq: UInt32, ack: UInt32 = 0, payload: Int = 0,
        ts: (UInt32, UInt32)? = nil, sack: [(left: UInt32, right: UInt32)] = [], window: UInt16 = 64_000,
        options: [UInt8] = [], endpoints: Endpoints = .ipv4, extensions: [UInt8] = []
    ) {
        var all = options
        if let ts { all += TCPHeader.timestamps(value: ts.0, echo: ts.1) }
        if !sack.isEmpty { all += TCPHeader.selective(sack) }
        let source = fromClient ? endpoints.client : endpoints.server
        let destination = fromClient ? endpoints.server : endpoints.client
        var segment: [UInt8] = []
        TCPHeader(
            sourcePort: fromClient ? endpoints.clientPort : endpoints.serverPort,
            destinationPort: fromClient ? endpoints.serverPort : endpoints.clientPort, sequence: seq,
            acknowledgement: ack, flags: flags, window: window, options: all
        ).write(payload: [UInt8](repeating: 0x61, count: payload), to: &segment)
        add(
            at: milliseconds, from: source, to: destination, protocolNumber: .tcp, payload: segment,
            extensions: extensions)
    }

    /// One TCP segment with these bytes as its payload.
    public mutating func tcp(
        _ milliseconds: Double, fromClient: Bool, seq: UInt32, ack: UInt32, bytes: [UInt8], endpoints: Endpoints = .ipv4
    ) {
        var segment: [UInt8] = []
        TCPHeader(
            sourcePort: fromClient ? endpoints.clientPort : endpoints.serverPort,
            destinationPort: fromClient ? endpoints.serverPort : endpoints.clientPort, sequence: seq,
            acknowledgement: ack, flags: [.psh, .ack]
        ).write(payload: bytes, to: &segment)
        add(
            at: milliseconds, from: fromClient ? endpoints.client : endpoints.server,
            to: fromClient ? endpoints.server : endpoints.client, protocolNumber: .tcp, payload: segment)
    }

    /// One UDP datagram.
    public mutating func udp(_ milliseconds: Double, fromClient: Bool, payload: [UInt8], endpoints: Endpoints = .dns) {
        var datagram: [UInt8] = []
        UDPHeader(
            sourcePort: fromClient ? endpoints.clientPort : endpoints.serverPort,
            destinationPort: fromClient ? endpoints.serverPort : endpoints.clientPort
        ).write(payload: payload, to: &datagram)
        add(
            at: milliseconds, from: fromClient ? endpoints.client : endpoints.server,
            to: fromClient ? endpoints.server : endpoints.client, protocolNumber: .udp, payload: datagram)
    }

    /// The clean conversation of the crafted files: 30 ms to the server, 20 ms to the client, data both ways.
    public mutating func cleanConversation(
        timestamps: Bool, endpoints: Endpoints = .ipv4, from start: Double = 0, extensions: [UInt8] = []
    ) {
        func ts(_ value: UInt32, _ echo: UInt32) -> (UInt32, UInt32)? { timestamps ? (value, echo) : nil }
        let parties = endpoints
        tcp(start, fromClient: true, .syn, seq: 1000, ts: ts(100, 0), endpoints: parties, extensions: extensions)
        tcp(
            start + 30, fromClient: false, [.syn, .ack], seq: 5000, ack: 1001, ts: ts(9000, 100), endpoints: parties,
            extensions: extensions)
        tcp(
            start + 50, fromClient: true, .ack, seq: 1001, ack: 5001, ts: ts(150, 9000), endpoints: parties,
            extensions: extensions)
        tcp(
            start + 51, fromClient: true, [.psh, .ack], seq: 1001, ack: 5001, payload: 100, ts: ts(151, 9000),
            endpoints: parties, extensions: extensions)
        tcp(
            start + 81, fromClient: false, .ack, seq: 5001, ack: 1101, ts: ts(9081, 151), endpoints: parties,
            extensions: extensions)
        tcp(
            start + 90, fromClient: false, [.psh, .ack], seq: 5001, ack: 1101, payload: 200, ts: ts(9090, 151),
            endpoints: parties, extensions: extensions)
        tcp(
            start + 110, fromClient: true, .ack, seq: 1101, ack: 5201, ts: ts(210, 9090), endpoints: parties,
            extensions: extensions)
    }
}

extension PacketBuilder {
    /// One TCP segment with these bytes.
    public mutating func tcp(
        _ milliseconds: Double, fromClient: Bool, seq: UInt32, ack: UInt32, content: some Collection<UInt8>,
        endpoints: Endpoints = .ipv4
    ) {
        var segment: [UInt8] = []
        TCPHeader(
            sourcePort: fromClient ? endpoints.clientPort : endpoints.serverPort,
            destinationPort: fromClient ? endpoints.serverPort : endpoints.clientPort, sequence: seq,
            acknowledgement: ack, flags: [.psh, .ack]
        ).write(payload: Array(content), to: &segment)
        add(
            at: milliseconds, from: fromClient ? endpoints.client : endpoints.server,
            to: fromClient ? endpoints.server : endpoints.client, protocolNumber: .tcp, payload: segment)
    }

    /// A handshake of the crafted files: 30 ms to the server, 20 ms to the client; sequence numbers 1001 and 5001 are
    /// next.
    public mutating func opening(endpoints: Endpoints = .ipv4, from start: Double = 0) {
        tcp(start, fromClient: true, .syn, seq: 1000, endpoints: endpoints)
        tcp(start + 30, fromClient: false, [.syn, .ack], seq: 5000, ack: 1001, endpoints: endpoints)
        tcp(start + 50, fromClient: true, .ack, seq: 1001, ack: 5001, endpoints: endpoints)
    }
}

extension TLSRecordHeader {
    /// A whole record.
    public static func record(
        _ fragment: some Collection<UInt8>, type: UInt8 = TLSContentType.handshake
    ) -> [UInt8] {
        var bytes: [UInt8] = []
        TLSRecordHeader(contentType: type).write(fragment: fragment, to: &bytes)
        return bytes
    }
}
