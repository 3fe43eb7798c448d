// Which echo an answer belongs to: pure, our own table against what came from the network.

internal import Wire

/// The first sixteen bytes of every echo's data.
struct EchoCookie: Hashable, Sendable {
    /// Random per start: tells our packets from those of other programs.
    var tag: UInt64
    /// Random per packet: an answer must bring it back.
    var nonce: UInt64

    static let length = 16
}

/// Outstanding echoes and, for a while, those that have a result, so that late and second answers are told apart.
struct EchoTable<Owner> {
    struct Handle: Hashable, Sendable {
        fileprivate let slot: Int
        fileprivate let generation: UInt64
    }

    struct Entry {
        let identifier: UInt16
        let sequence: UInt16
        let nonce: UInt64
        let destination: IPAddress
        var owner: Owner
        /// Which packet of the owner's round it is.
        let packet: Int
        /// The kernel's transmit stamp, CLOCK_REALTIME, once it is known.
        var transmitted: Int64?
        /// The round has its result; what comes now is a duplicate or too late.
        var isSettled = false
        /// Settled by an answer, and not by a timeout or an error.
        var isAnswered = false
    }

    enum Match: Equatable {
        /// The first answer to an outstanding echo.
        case answer(Handle)
        /// An answer to an echo that was answered before.
        case duplicate(Handle)
        /// The first answer to an echo that was given up.
        case tooLate(Handle)
        /// Id and sequence of an echo of ours, but not the nonce, the source or the checksum: somebody else's, forged or
        /// spoilt on the way.
        case foreign(Handle)
        /// Our tag, but id and sequence of no echo that we remember.
        case stray
        /// Another program's.
        case unrelated

        static func == (a: Match, b: Match) -> Bool {
            switch (a, b) {
            case (.answer(let x), .answer(let y)), (.duplicate(let x), .duplicate(let y)),
                (.tooLate(let x), .tooLate(let y)), (.foreign(let x), .foreign(let y)):
                x == y
            case (.stray, .stray), (.unrelated, .unrelated): true
            default: false
            }
        }
    }

    private struct Slot {
        var entry: Entry?
        var generation: UInt64 = 0
    }

    let tag: UInt64
    let capacity: Int
    private var slots: [Slot] = []
    private var free: [Int] = []
    private var slotOfWire: [UInt32: Int] = [:]

    /// Keeps at most `capacity` echoes.
    init(tag: UInt64, capacity: Int) {
        self.tag = tag
        self.capacity = capacity
    }

    var count: Int { slotOfWire.count }

    subscript(handle: Handle) -> Entry? {
        get {
            let slot = slots[handle.slot]
            return slot.generation == handle.generation ? slot.entry : nil
        }
        set {
            guard slots[handle.slot].generation == handle.generation, let newValue else { return }
            slots[handle.slot].entry = newValue
        }
    }

    /// Adds an echo; nil where the table is full or identifier and sequence belong to an echo that is remembered.
    mutating func insert(_ entry: Entry) -> Handle? {
        let wire = Self.wire(entry.identifier, entry.sequence)
        guard count < capacity, slotOfWire[wire] == nil else { return nil }
        let index: Int
        if let reused = free.popLast() {
            index = reused
        } else {
            index = slots.count
            slots.append(Slot())
        }
        slots[index].entry = entry
        slots[index].generation &+= 1
        slotOfWire[wire] = index
        return Handle(slot: index, generation: slots[index].generation)
    }

    /// Whether an echo with this identifier and sequence is remembered.
    func isTaken(identifier: UInt16, sequence: UInt16) -> Bool {
        slotOfWire[Self.wire(identifier, sequence)] != nil
    }

    /// Forgets an echo.
    mutating func remove(_ handle: Handle) {
        guard let entry = self[handle] else { return }
        slotOfWire[Self.wire(entry.identifier, entry.sequence)] = nil
        slots[handle.slot].entry = nil
        slots[handle.slot].generation &+= 1
        free.append(handle.slot)
    }

    /// What an echo reply is. Only our own table is believed, never a time in the packet. `isIntact`: its checksum fits.
    func match(
        identifier: UInt16, sequence: UInt16, cookie: EchoCookie?, source: IPAddress, isIntact: Bool = true
    ) -> Match {
        guard let index = slotOfWire[Self.wire(identifier, sequence)], let entry = slots[index].entry else {
            return cookie?.tag == tag ? .stray : .unrelated
        }
        let handle = Handle(slot: index, generation: slots[index].generation)
        guard isIntact, let cookie, cookie.tag == tag, cookie.nonce == entry.nonce, source == entry.destination else {
            return .foreign(handle)
        }
        if !entry.isSettled { return .answer(handle) }
        return entry.isAnswered ? .duplicate(handle) : .tooLate(handle)
    }

    /// The outstanding echo that an ICMP error quotes. Routers may quote eight bytes only, so the nonce is compared
    /// where it is there.
    func matchQuoted(
        identifier: UInt16, sequence: UInt16, destination: IPAddress, cookie: EchoCookie?
    ) -> Handle? {
        guard let index = slotOfWire[Self.wire(identifier, sequence)], let entry = slots[index].entry,
            entry.destination == destination, !entry.isSettled
        else { return nil }
        if let cookie, cookie != EchoCookie(tag: tag, nonce: entry.nonce) { return nil }
        return Handle(slot: index, generation: slots[index].generation)
    }

    /// Notes the transmit stamp of the packet that the kernel looped back; false where it is none of ours.
    mutating func setTransmitted(identifier: UInt16, sequence: UInt16, cookie: EchoCookie, stamp: Int64) -> Bool {
        guard cookie.tag == tag, let index = slotOfWire[Self.wire(identifier, sequence)],
            slots[index].entry?.nonce == cookie.nonce
        else { return false }
        slots[index].entry?.transmitted = stamp
        return true
    }

    private static func wire(_ identifier: UInt16, _ sequence: UInt16) -> UInt32 {
        UInt32(identifier) << 16 | UInt32(sequence)
    }
}
