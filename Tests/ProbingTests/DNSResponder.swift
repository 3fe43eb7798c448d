import LinuxSystem
import Synchronization
import Testing
import Wire

/// A DNS server for tests on 127.0.0.1, over UDP and TCP, whose answer hangs on the name asked for.
final class DNSResponder: Sendable {
    static let loopback = IPAddress(v4: 0x7F00_0001)

    private let pair: PortPair
    private let isStopping = Atomic(false)
    private let isSilent = Atomic(false)
    private let queries = Mutex<[String]>([])
    private let thread = Mutex<LinuxSystem.Thread?>(nil)
    let port: UInt16

    init() throws {
        let pair = try PortPair()
        port = pair.port
        self.pair = pair
        let started = try LinuxSystem.Thread.start(name: "dns-responder") { [unowned self] in serve() }
        thread.withLock { $0 = started }
    }

    deinit { stop() }

    func stop() {
        isStopping.store(true, ordering: .relaxed)
        thread.withLock { $0.take() }?.join()
    }

    /// From now on nothing is answered.
    func fallSilent() { isSilent.store(true, ordering: .relaxed) }
    func speak() { isSilent.store(false, ordering: .relaxed) }

    /// Names asked for, in order.
    var asked: [String] { queries.withLock { $0 } }

    private func serve() {
        let inbox = ReceiveBatch(capacity: 1, size: 2_048)
        var connection: OwnedDescriptor?
        var stream: [UInt8] = []
        while !isStopping.load(ordering: .relaxed) {
            if case .value(let count) = inbox.receive(pair.udp.rawValue), count > 0 {
                let datagram = inbox[0]
                if let source = datagram.source, let message = DNSMessage(datagram.bytes),
                    let question = message.question
                {
                    queries.withLock { $0.append(question.name.description) }
                    if !isSilent.load(ordering: .relaxed) { answer(message.id, question, source) }
                }
            }
            if let accepted = try? InternetSocket.accept(pair.tcp.rawValue) {
                connection = consume accepted
                stream = []
            }
            if let number = connection?.rawValue {
                if case .value(let count) = InternetSocket.receive(number, into: &stream, limit: 512), count == 0 {
                    connection = nil
                } else if stream.count > 14, let message = DNSMessage(Array(stream[2...]).span.bytes),
                    let question = message.question
                {
                    let reply = Self.good(message.id, question).write()
                    let framed = [UInt8(reply.count >> 8), UInt8(reply.count & 0xFF)] + reply
                    // In two pieces: a reply over TCP comes as it likes.
                    _ = InternetSocket.send(number, framed.prefix(5))
                    _ = InternetSocket.send(number, framed.dropFirst(5))
                    stream = []
                }
            }
            pause(microseconds: 500)
        }
    }

    private func answer(_ id: UInt16, _ question: DNSQuestion, _ client: SocketAddress) {
        switch question.name.labels.first.map({ String(decoding: $0, as: UTF8.self) }) ?? "" {
        case "cut": send(DNSReply(id: id, question: question, isTruncated: true).write(), client)
        case "wrongid":
            send(Self.good(id ^ 1, question).write(), client)
            send(Self.good(id, question).write(), client)
        case "wrongquestion":
            var other = question
            other.type ^= 3
            send(Self.good(id, other).write(), client)
        case "servfail": send(DNSReply(id: id, question: question, rcode: DNSRcode.serverFailure).write(), client)
        case "nx": send(DNSReply(id: id, question: question, rcode: DNSRcode.nameError).write(), client)
        case "garbage":
            send([1, 2, 3], client)
            send([UInt8](repeating: 0xFF, count: 600), client)
        case "loop":
            // An answer whose name points at itself.
            var bytes = DNSReply(id: id, question: question).write()
            bytes[7] = 1
            let at = UInt16(bytes.count)
            bytes.append(bigEndian: 0xC000 | at)
            bytes += [0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 127, 0, 0, 1]
            send(bytes, client)
        case "short":
            // Two answers by the header, one in the message.
            var bytes = Self.good(id, question).write()
            bytes[7] = 2
            send(bytes, client)
        case "silent": return
        case "slow":
            pause(microseconds: 150_000)
            send(Self.good(id, question).write(), client)
        default: send(Self.good(id, question).write(), client)
        }
    }

    /// 127.0.0.1 for A, nothing for AAAA, by way of an alias where the name begins with `alias`.
    static func good(_ id: UInt16, _ question: DNSQuestion) -> DNSReply {
        var reply = DNSReply(id: id, question: question)
        guard question.type == DNSType.a else { return reply }
        var owner = question.name
        if question.name.description.hasPrefix("alias"), let target = DNSName("Real.Example") {
            reply.answers.append(DNSResource(name: owner, alias: target, ttl: 1))
            owner = target
        }
        reply.answers.append(DNSResource(name: owner, address: loopback, ttl: 60))
        return reply
    }

    private func send(_ bytes: [UInt8], _ client: SocketAddress) {
        let batch = SendBatch(capacity: 1, bytes: 2_048)
        _ = batch.append(bytes, to: client, options: SendOptions())
        _ = batch.send(pair.udp.rawValue, from: 0)
    }
}

/// A UDP and a TCP socket on the same port of 127.0.0.1. A port that is free for one may be taken for the other, by a
/// connection that was closed a moment ago for one, so several are tried.
private final class PortPair: Sendable {
    let udp: OwnedDescriptor
    let tcp: OwnedDescriptor
    let port: UInt16

    init() throws {
        for _ in 0..<100 {
            let udp = try InternetSocket.datagram(isIPv6: false)
            try InternetSocket.bind(udp.rawValue, to: SocketAddress(DNSResponder.loopback))
            let port = try InternetSocket.localAddress(udp.rawValue).port
            let tcp = try InternetSocket.stream(isIPv6: false)
            guard (try? InternetSocket.bind(tcp.rawValue, to: SocketAddress(DNSResponder.loopback, port: port))) != nil
            else {
                continue
            }
            try InternetSocket.listen(tcp.rawValue)
            self.udp = consume udp
            self.tcp = consume tcp
            self.port = port
            return
        }
        throw SystemError(call: "bind", errno: 98)
    }
}

/// Sleeps the calling thread.
func pause(microseconds: UInt32) {
    let end = Clock.monotonic() + Int64(microseconds) * 1_000
    guard let loop = try? EventLoop() else { return }
    try? loop.wait(until: end) { _, _ in }
}
