import CLinux
import Glibc
import LinuxSystem
import Testing
import Wire

private let loopback4 = IPAddress(v4: 0x7F00_0001)
private let loopback6 = IPAddress(v6High: 0, low: 1)

/// Tries until `body` gives something, for a second at most.
private func eventually<Value>(_ body: () throws -> Value?) throws -> Value? {
    let end = Clock.monotonic() + 1_000_000_000
    while Clock.monotonic() < end {
        if let value = try body() { return value }
        usleep(500)
    }
    return nil
}

/// How many datagrams came, where these are at least `least`.
private func receive(
    _ least: Int32, _ inbox: ReceiveBatch, _ descriptor: Int32, fromErrorQueue: Bool = false
) -> Int32? {
    guard case .value(let count) = inbox.receive(descriptor, fromErrorQueue: fromErrorQueue), count >= least else {
        return nil
    }
    return count
}

/// Sends until a datagram comes with a receive stamp, then empties both queues.
///
/// The kernel turns receive stamps on for the whole host by a work item (net_enable_timestamp), so the first packets after
/// the first socket has asked may have none.
private func stampsAreInForce(on receiver: Int32, from sender: Int32, to destination: SocketAddress) throws -> Bool {
    let outbox = SendBatch(capacity: 1, bytes: 100)
    let inbox = ReceiveBatch(capacity: 1, size: 8)
    let stamp = try eventually { () -> Int64? in
        outbox.removeAll()
        _ = outbox.append([0], to: destination, options: SendOptions())
        _ = outbox.send(sender, from: 0)
        return receive(1, inbox, receiver) == nil ? nil : inbox[0].stamp
    }
    for isError in [false, true] {
        while receive(1, inbox, isError ? sender : receiver, fromErrorQueue: isError) != nil {}
    }
    return stamp != nil
}

struct SocketTests {
    @Test(arguments: [loopback4, loopback6])
    func datagramsCarryKernelStampsBothWays(address: IPAddress) throws {
        let receiver = try InternetSocket.datagram(isIPv6: address.isIPv6)
        try InternetSocket.bind(receiver.rawValue, to: SocketAddress(address))
        let destination = try InternetSocket.localAddress(receiver.rawValue)
        #expect(destination.address == address && destination.port != 0)
        let sender = try InternetSocket.datagram(isIPv6: address.isIPv6)
        try SocketTimestamping.enable(receiver.rawValue, loopback: .none)
        try SocketTimestamping.enable(sender.rawValue, loopback: .packet)
        #expect(try stampsAreInForce(on: receiver.rawValue, from: sender.rawValue, to: destination))

        let outbox = SendBatch(capacity: 3, bytes: 100)
        let options = SendOptions(hopLimit: 9, trafficClass: 0x28, source: address)
        #expect(outbox.append([1, 2, 3], to: destination, options: options))
        #expect(outbox.append([4], to: destination, options: SendOptions()))
        #expect(!outbox.append([UInt8](repeating: 0, count: 97), to: destination, options: options), "no room")
        let before = Clock.wall()
        guard case .value(2) = outbox.send(sender.rawValue, from: 0) else {
            Issue.record("not both sent")
            return
        }

        let inbox = ReceiveBatch(capacity: 8, size: 2)
        let count = try eventually { receive(2, inbox, receiver.rawValue) }
        #expect(count == 2)
        let first = inbox[0]
        #expect(first.bytes.byteCount == 2, "cut at the batch's size")
        #expect(first.source?.address == address)
        let receivedStamp = first.stamp
        let received = try #require(receivedStamp)
        #expect(received >= before && received <= Clock.wall())

        let queued = try eventually { receive(1, inbox, sender.rawValue, fromErrorQueue: true) }
        #expect(queued != nil)
        let looped = inbox[0]
        #expect(looped.error?.origin == .timestamping)
        let sentStamp = looped.stamp
        let sent = try #require(sentStamp)
        #expect(sent >= before && sent <= received)
        guard case .wouldBlock = inbox.receive(receiver.rawValue) else {
            Issue.record("something else came")
            return
        }
        #expect(inbox.count == 0)
    }

    @Test
    func icmpErrorsComeByTheErrorQueue() throws {
        let holder = try InternetSocket.datagram(isIPv6: false)
        try InternetSocket.bind(holder.rawValue, to: SocketAddress(loopback4))
        let closed = try InternetSocket.localAddress(holder.rawValue)
        _ = consume holder
        let sender = try InternetSocket.datagram(isIPv6: false)
        try SocketTimestamping.enableErrorQueue(sender.rawValue, isIPv6: false)
        _ = try InternetSocket.connect(sender.rawValue, to: closed)
        guard case .value(1) = InternetSocket.send(sender.rawValue, [9]) else {
            Issue.record("not sent")
            return
        }
        let inbox = ReceiveBatch(capacity: 1, size: 64)
        let count = try eventually {
            if case .value(let count) = inbox.receive(sender.rawValue, fromErrorQueue: true) { count } else { nil }
        }
        #expect(count == 1)
        let datagram = inbox[0]
        #expect(datagram.error?.origin == .icmp)
        #expect(datagram.error?.type == 3 && datagram.error?.code == 3)
        #expect(datagram.error?.offender == loopback4)
        #expect(datagram.error?.errno == ECONNREFUSED)
    }

    @Test
    func connectionsTellTheirHandshakeTime() throws {
        let listener = try InternetSocket.stream(isIPv6: false)
        try InternetSocket.bind(listener.rawValue, to: SocketAddress(loopback4))
        try InternetSocket.listen(listener.rawValue)
        let address = try InternetSocket.localAddress(listener.rawValue)
        let client = try InternetSocket.stream(isIPv6: false)
        _ = try InternetSocket.connect(client.rawValue, to: address)
        let loop = try EventLoop()
        try loop.add(client.rawValue, for: .writable, token: 1)
        try loop.wait(until: Clock.monotonic() + 1_000_000_000) { _, _ in }
        #expect(InternetSocket.pendingError(client.rawValue) == 0)
        let information = try #require(InternetSocket.tcpInfo(client.rawValue))
        #expect(information.roundTripTime > 0 && information.roundTripTime < 100_000_000)
        #expect(information.retransmits == 0)

        let server = try InternetSocket.accept(listener.rawValue)
        guard case .value(5) = InternetSocket.send(server.rawValue, [1, 2, 3, 4, 5]) else {
            Issue.record("not sent")
            return
        }
        var bytes: [UInt8] = []
        let got = try eventually { () -> Int? in
            guard case .value(let count) = InternetSocket.receive(client.rawValue, into: &bytes, limit: 3) else {
                return nil
            }
            return count
        }
        #expect(got == 3 && bytes == [1, 2, 3])
        #expect(InternetSocket.discardInput(client.rawValue, limit: 100) == false, "still open")
        InternetSocket.shutdown(server.rawValue)
        let closed = try eventually { InternetSocket.discardInput(client.rawValue, limit: 100) ? true : nil }
        #expect(closed == true)
        #expect(InternetSocket.receiveDrops(client.rawValue) == 0)
    }

    @Test
    func errorsNameTheCallAndTheReason() throws {
        do {
            try InternetSocket.bind(-1, to: SocketAddress(loopback4, port: 9))
            Issue.record("bound nothing")
        } catch {
            #expect(error.errno == EBADF)
            #expect(error.description == "bind 127.0.0.1:9: Bad file descriptor")
        }
        #expect(SystemError.message(of: 123_456).contains("123456"))
        #expect(SocketAddress(loopback6, port: 53).description == "[::1]:53")
        #expect(SocketAddress.interfaceIndex("lo") != nil)
        #expect(SocketAddress.interfaceIndex("no-such-if0") == nil)
        #expect(try InternetSocket.sourceAddress(towards: SocketAddress(loopback4)) == loopback4)
    }
}
