// ICMP echo in one family: sending in batches, stamps from the kernel, answers against our own table.

internal import LinuxSystem
internal import Model
internal import Wire

/// Sends the echoes of all series of one family by one socket and settles each of them once.
final class EchoProber {
    /// A packet's place: which round, and what the clocks said when it was sent.
    struct Owner {
        let round: OpenRound
        var sent: ClockPair
    }

    typealias Table = EchoTable<Owner>

    private enum Event {
        case send(OpenRound, packet: Int, plan: Plan)
        case settle(Table.Handle)
        case forget(Table.Handle)
    }

    /// All that the packets of a round have in common.
    private struct Plan {
        let destination: SocketAddress
        let options: SendOptions
        let size: Int
        let source: ProbeSource
    }

    let socket: EchoDescriptor
    private let context: ProbeContext
    private let batch = SendBatch(capacity: 64, bytes: 160_000)
    /// Room for what an Ethernet carries: the checksum of a message that was cut cannot be checked.
    private let inbox = ReceiveBatch(capacity: 64, size: 2_048)
    private var pending: [(handle: Table.Handle, source: ProbeSource)] = []
    private var table: Table
    private var timers = TimerHeap<Event>()
    private var identifiers = IdentifierPool()
    private var seriesOf: [IPAddress: Series] = [:]
    private var nextPingSequence = UInt16.random(in: 0...UInt16.max)
    private var drops: ReceiveDrops
    /// Echoes sent up to here may have had an answer that the kernel threw away.
    private var deafUntil = Int64.min

    init(context: ProbeContext, socket: EchoDescriptor) {
        self.context = context
        self.socket = socket
        table = Table(tag: UInt64.random(in: 1...UInt64.max), capacity: context.tuning.echoCapacity)
        let number = socket.descriptor.rawValue
        let countsErrors = socket.isIPv6 && socket.kind == .raw
        drops = ReceiveDrops(
            drops: { InternetSocket.receiveDrops(number) },
            errors: { countsErrors ? InternetSocket.checksumErrors6() : nil })
    }

    private var descriptor: Int32 { socket.descriptor.rawValue }
    private var isIPv6: Bool { socket.isIPv6 }

    var nextDeadline: Int64? { timers.nextDeadline }
    var remembered: Int { table.count }

    // MARK: Sending

    /// Begins the round: the first echo goes out with the present turn of the loop.
    func begin(_ round: OpenRound, to destination: SocketAddress, options: ICMPOptions) {
        var interface: Int32?
        if let name = options.source.interface {
            interface = context.network.interfaceIndex(name)
            guard interface != nil else {
                for packet in 0..<round.results.count {
                    context.record(.indeterminate(.linkDown), in: round, packet: packet)
                }
                return
            }
        } else if destination.scope != 0 {
            interface = Int32(exactly: destination.scope)
        }
        seriesOf[destination.address] = round.series
        let plan = Plan(
            destination: destination,
            options: SendOptions(
                hopLimit: options.ttl, trafficClass: options.dscp << 2, source: options.source.address,
                interface: interface),
            size: options.size, source: options.source)
        let spacing = max(options.spacing.clampedNanoseconds, 0)
        for packet in 1..<max(round.results.count, 1) {
            timers.push(
                .send(round, packet: packet, plan: plan),
                at: context.clock.monotonic.addingSaturated(spacing.multipliedSaturated(by: Int64(packet))))
        }
        send(round, packet: 0, plan: plan)
    }

    /// Forgets a series that is gone.
    func retire(_ series: Series) {
        if let identifier = series.identifier { identifiers.release(identifier) }
        series.identifier = nil
        if let address = series.key.address, seriesOf[address] === series { seriesOf[address] = nil }
    }

    private func send(_ round: OpenRound, packet: Int, plan: Plan) {
        guard !round.series.isRetired else { return }
        guard let (identifier, sequence) = name(round, packet: packet) else {
            context.record(.indeterminate(.internalError), in: round, packet: packet, note: "no free echo number")
            return
        }
        let nonce = UInt64.random(in: 0...UInt64.max)
        let entry = Table.Entry(
            identifier: identifier, sequence: sequence, nonce: nonce, destination: plan.destination.address,
            owner: Owner(round: round, sent: context.clock), packet: packet)
        guard let handle = table.insert(entry) else {
            context.record(.indeterminate(.internalError), in: round, packet: packet, note: "echo table full")
            return
        }
        let bytes = EchoPacket.request(
            isIPv6: isIPv6, identifier: identifier, sequence: sequence,
            cookie: EchoCookie(tag: table.tag, nonce: nonce), size: plan.size)
        if !batch.append(bytes, to: plan.destination, options: plan.options) {
            flush()
            guard batch.append(bytes, to: plan.destination, options: plan.options) else {
                table.remove(handle)
                context.record(.indeterminate(.internalError), in: round, packet: packet, note: "packet too large")
                return
            }
        }
        pending.append((handle, plan.source))
    }

    /// Identifier and sequence number of a packet; nil where none is free.
    private func name(_ round: OpenRound, packet: Int) -> (UInt16, UInt16)? {
        if let fixed = socket.fixedIdentifier {
            for _ in 0..<256 {
                let sequence = nextPingSequence
                nextPingSequence &+= 1
                if !table.isTaken(identifier: fixed, sequence: sequence) { return (fixed, sequence) }
            }
            return nil
        }
        let series = round.series
        let sequence = UInt16(truncatingIfNeeded: round.firstSequence &+ UInt32(truncatingIfNeeded: packet))
        for _ in 0..<8 {
            let identifier = series.identifier ?? identifiers.take()
            series.identifier = identifier
            if !table.isTaken(identifier: identifier, sequence: sequence) { return (identifier, sequence) }
            identifiers.release(identifier)
            series.identifier = nil
        }
        return nil
    }

    /// Hands over what is collected. The kernel's transmit stamps are usually there at once.
    func flush() {
        guard batch.count > 0 else { return }
        let clock = ClockPair.now()
        var index = 0
        var repeated = -1
        while index < batch.count {
            switch batch.send(descriptor, from: index) {
            case .value(let taken):
                let end = min(index + max(Int(taken), 1), batch.count)
                for position in index..<end { didSend(pending[position].handle, clock) }
                index = end
            case .wouldBlock:
                for position in index..<batch.count { didNotSend(position, .indeterminate(.sendBufferFull), nil) }
                index = batch.count
            case .failed where repeated != index:
                // Perhaps the error of an earlier packet, by ICMP: the socket tells that once, to whoever calls next.
                repeated = index
                drainErrorQueue()
            case .failed(let code):
                let reason = context.reason(code, source: pending[index].source)
                didNotSend(index, .indeterminate(reason), SystemError.message(of: code))
                index += 1
            }
        }
        batch.removeAll()
        pending.removeAll(keepingCapacity: true)
        drainErrorQueue()
    }

    private func didSend(_ handle: Table.Handle, _ clock: ClockPair) {
        guard var entry = table[handle] else { return }
        entry.owner = Owner(round: entry.owner.round, sent: clock)
        table[handle] = entry
        context.counters.sent += 1
        timers.push(.settle(handle), at: clock.monotonic.addingSaturated(entry.owner.round.patience.total))
    }

    private func didNotSend(_ position: Int, _ outcome: Outcome, _ note: String?) {
        let handle = pending[position].handle
        guard let entry = table[handle] else { return }
        table.remove(handle)
        context.record(outcome, in: entry.owner.round, packet: entry.packet, note: note)
    }

    // MARK: Timers

    func fire(now: Int64) {
        while let (deadline, event) = timers.popDue(at: now) {
            switch event {
            case .send(let round, let packet, let plan):
                if now - deadline > context.tuning.stallBound {
                    context.record(.indeterminate(.schedulerStall), in: round, packet: packet, note: "not sent")
                } else {
                    send(round, packet: packet, plan: plan)
                }
            case .settle(let handle): giveUp(handle)
            case .forget(let handle): table.remove(handle)
            }
        }
    }

    private func giveUp(_ handle: Table.Handle) {
        guard let entry = table[handle], !entry.isSettled else { return }
        let series = entry.owner.round.series
        var outcome = context.outcomeWithoutAnswer(sent: entry.owner.sent.monotonic)
        if outcome == .lost {
            checkDrops(thorough: false)
            if entry.owner.sent.monotonic <= deafUntil { outcome = .indeterminate(.schedulerStall) }
        }
        if outcome == .lost {
            series.losses += 1
            if series.losses % context.tuning.lossesPerIdentifier == 0, let identifier = series.identifier {
                identifiers.release(identifier)
                series.identifier = nil
            }
        }
        settle(handle, entry, isAnswered: false, outcome: outcome, source: .user, note: nil)
    }

    private func settle(
        _ handle: Table.Handle, _ entry: Table.Entry, isAnswered: Bool, outcome: Outcome, source: MeasurementSource,
        note: String?
    ) {
        var entry = entry
        entry.isSettled = true
        entry.isAnswered = isAnswered
        table[handle] = entry
        let round = entry.owner.round
        timers.push(.forget(handle), at: context.clock.monotonic.addingSaturated(round.patience.memory))
        context.record(
            outcome, in: round, packet: entry.packet, sent: entry.transmitted ?? entry.owner.sent.wall, source: source,
            note: note)
    }

    // MARK: Receiving

    /// Reads all that is there, the transmit stamps first, which answers are measured with.
    func receive() {
        drainErrorQueue()
        let inbox = inbox
        for _ in 0..<64 {
            switch inbox.receive(descriptor) {
            case .wouldBlock: return
            // The error of some packet of ours, told once; the queue has it in full.
            case .failed: drainErrorQueue()
            case .value(let count):
                for index in 0..<Int(count) {
                    let datagram = inbox[index]
                    take(datagram)
                }
                if count < 64 { return }
            }
        }
    }

    /// Looks whether the kernel had to throw packets away; then silence proves nothing for the echoes under way.
    func checkDrops(thorough: Bool) {
        let dropped = drops.look(thorough: thorough)
        guard dropped > 0 else { return }
        context.counters.receiveDrops &+= dropped
        deafUntil = context.clock.monotonic
    }

    private func take(_ datagram: borrowing ReceivedDatagram) {
        guard let source = datagram.source?.address else { return }
        if isIPv6 {
            guard let message = ICMPv6Message(datagram.bytes) else { return }
            if message.isEchoReply {
                let identity = EchoIdentity(
                    identifier: message.identifier, sequence: message.sequence,
                    cookie: EchoPacket.cookie(message.payload))
                takeReply(identity, source, stamp: datagram.stamp)
            } else if message.isError {
                takeError(EchoPacket.quoted6(message.payload), type: message.type, code: message.code, from: source)
            }
            return
        }
        let isRaw = socket.kind == .raw
        guard isRaw == false || EchoPacket.behindIPv4Header(datagram.bytes) != nil else { return }
        let offset = isRaw ? Int(datagram.bytes.byte(at: 0) & 0xF) * 4 : 0
        guard let message = ICMPv4Message(datagram.bytes.suffix(from: offset)) else { return }
        // A raw socket of IPv4 gets the message before the kernel has looked at its checksum; all others after that.
        let isIntact = !isRaw || EchoPacket.isCut(datagram.bytes) || message.hasValidChecksum
        if message.isEchoReply {
            let identity = EchoIdentity(
                identifier: message.identifier, sequence: message.sequence,
                cookie: EchoPacket.cookie(message.payload))
            takeReply(identity, source, stamp: datagram.stamp, isIntact: isIntact)
        } else if message.isError {
            let quoted = isIntact ? EchoPacket.quoted4(message.payload) : nil
            takeError(quoted, type: message.type, code: message.code, from: source)
        }
    }

    private func takeReply(_ identity: EchoIdentity, _ source: IPAddress, stamp: Int64?, isIntact: Bool = true) {
        let match = table.match(
            identifier: identity.identifier, sequence: identity.sequence, cookie: identity.cookie, source: source,
            isIntact: isIntact)
        switch match {
        case .answer(let handle):
            guard let entry = table[handle] else { return }
            let trip = RoundTrip(
                sent: entry.owner.sent, transmitted: entry.transmitted, received: stamp, read: ClockPair.now())
            let (outcome, measuredBy) = context.outcome(of: trip, patience: entry.owner.round.patience)
            entry.owner.round.series.losses = 0
            settle(handle, entry, isAnswered: true, outcome: outcome, source: measuredBy, note: nil)
        case .duplicate(let handle):
            context.counters.duplicates += 1
            table[handle]?.owner.round.series.duplicates += 1
        case .tooLate(let handle):
            context.counters.tooLate += 1
            table[handle]?.isAnswered = true
        case .foreign(let handle):
            context.counters.foreign += 1
            table[handle]?.owner.round.series.foreign += 1
        case .stray:
            context.counters.foreign += 1
            seriesOf[source]?.foreign += 1
        case .unrelated: context.counters.unrelated += 1
        }
    }

    private func takeError(_ quoted: EchoIdentity?, type: UInt8, code: UInt8, from offender: IPAddress?) {
        guard let quoted, let destination = quoted.destination,
            let handle = table.matchQuoted(
                identifier: quoted.identifier, sequence: quoted.sequence, destination: destination,
                cookie: quoted.cookie),
            let entry = table[handle]
        else {
            context.counters.unrelated += 1
            return
        }
        let error = ICMPErrors.errorClass(isIPv6: isIPv6, type: type, code: code)
        let elapsed = Duration.nanoseconds(Clock.monotonic() - entry.owner.sent.monotonic)
        let outcome = context.network.outcome(of: error, from: offender, destination: destination, elapsed: elapsed)
        settle(
            handle, entry, isAnswered: false, outcome: outcome, source: .user,
            note: offender.map { "\(error.rawValue) from \($0)" })
    }

    // MARK: Error queue

    private func drainErrorQueue() {
        let inbox = inbox
        for _ in 0..<64 {
            guard case .value(let count) = inbox.receive(descriptor, fromErrorQueue: true) else { return }
            for index in 0..<Int(count) {
                let datagram = inbox[index]
                takeQueued(datagram)
            }
            if count < 64 { return }
        }
    }

    private func takeQueued(_ datagram: borrowing ReceivedDatagram) {
        guard let error = datagram.error else { return }
        switch error.origin {
        case .timestamping:
            guard let stamp = datagram.stamp,
                let identity = EchoPacket.loopedBack(datagram.bytes, tag: table.tag), let cookie = identity.cookie
            else { return }
            _ = table.setTransmitted(
                identifier: identity.identifier, sequence: identity.sequence, cookie: cookie, stamp: stamp)
        case .icmp, .icmpv6:
            // Ping sockets get errors here alone; the bytes are our own echo, its destination the address beside them.
            guard socket.kind == .ping, let message = ICMPv4Message(datagram.bytes) else { return }
            let quoted = EchoIdentity(
                identifier: socket.fixedIdentifier ?? message.identifier, sequence: message.sequence,
                cookie: EchoPacket.cookie(message.payload), destination: datagram.source?.address)
            takeError(quoted, type: error.type, code: error.code, from: error.offender)
        case .local, .other: return
        }
    }
}
