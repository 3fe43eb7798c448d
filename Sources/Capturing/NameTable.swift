// DNS names seen, and the addresses they led to: two bounded caches.

internal import Model
internal import Wire

/// A service as a number: a configured service, a name seen, or none; with how it was learned.
struct ServiceReference: BitwiseCopyable, Equatable {
    private static var configured: UInt32 { 1 << 31 }
    private static var named: UInt32 { 1 << 30 }
    /// Of a configured service: its name was seen in DNS; else in a handshake where `bySNI` is set; else its prefix.
    private static var byDNS: UInt32 { 1 << 28 }
    /// Of a name: it was seen in a handshake; else in DNS.
    private static var bySNI: UInt32 { 1 << 29 }

    let rawValue: UInt32

    static var none: ServiceReference { ServiceReference(rawValue: 0) }

    init(rawValue: UInt32) { self.rawValue = rawValue }

    init(service: Int) { rawValue = ServiceReference.configured | UInt32(truncatingIfNeeded: service) }

    /// A name's slot with its generation, so that a slot used anew is not taken for the old name.
    init(slot: Int, generation: UInt32) {
        rawValue =
            ServiceReference.named | (generation & 0xFFFF) &<< 13 | UInt32(truncatingIfNeeded: slot) & 0x1FFF
    }

    var service: Int? {
        rawValue & ServiceReference.configured != 0 ? Int(rawValue & 0x0FFF_FFFF) : nil
    }
    var slot: (index: Int, generation: UInt32)? {
        rawValue & ServiceReference.named != 0 && service == nil
            ? (Int(rawValue & 0x1FFF), rawValue &>> 13 & 0xFFFF) : nil
    }

    /// nil for `none`.
    var source: ServiceSource? {
        if rawValue == 0 { return nil }
        if rawValue & ServiceReference.bySNI != 0 { return .sni }
        if rawValue & ServiceReference.configured == 0 { return .dns }
        return rawValue & ServiceReference.byDNS != 0 ? .dns : .prefix
    }

    /// The same service, learned this way.
    func learned(_ source: ServiceSource) -> ServiceReference {
        var value = withoutSource.rawValue
        guard value != 0 else { return self }
        if source == .sni { value |= ServiceReference.bySNI }
        if source == .dns, value & ServiceReference.configured != 0 { value |= ServiceReference.byDNS }
        return ServiceReference(rawValue: value)
    }

    /// What figures are filed under.
    var withoutSource: ServiceReference {
        let isConfigured = rawValue & ServiceReference.configured != 0
        return ServiceReference(
            rawValue: rawValue & ~ServiceReference.bySNI & (isConfigured ? ~ServiceReference.byDNS : .max))
    }
}

/// Which name an address goes by, as long as the answer's TTL allows.
struct NameTable: ~Copyable {
    struct Slot: BitwiseCopyable {
        var key: UInt64 = 0
        var lastUsed: UInt32 = 0
        var generation: UInt32 = 0
        var service: Int32 = -1
        var isUsed: UInt32 = 0
    }

    struct Address: BitwiseCopyable {
        var high: UInt64 = 0
        var low: UInt64 = 0
        /// Seconds of the engine's clock; 0: free.
        var expiry: UInt32 = 0
        var reference: UInt32 = 0
        var isIPv6: UInt32 = 0
        var spare: UInt32 = 0
    }

    private static var ways: Int { 8 }
    private static var nameCount: Int { 8_192 }
    private static var addressCount: Int { 16_384 }
    /// Programs hold on to an address for longer than a short TTL; a long one is not believed for ever. Seconds.
    private static var shortestLife: UInt32 { 60 }
    private static var longestLife: UInt32 { 86_400 }

    private var slots: FixedTable<Slot> = FixedTable(zeroed: NameTable.nameCount)
    private var addresses: FixedTable<Address> = FixedTable(zeroed: NameTable.addressCount)
    /// Empty until there is a name, since many captures hold none.
    private var texts: [String] = []
    private let hash: KeyedHash
    private(set) var isEmpty = true

    init(hash: KeyedHash = KeyedHash()) { self.hash = hash }

    /// The slot of a name. `text` is asked for only where the name is new, `service` likewise. Without `keepsOthers`
    /// the text of a name that belongs to no configured service is not kept.
    mutating func remember(
        key: UInt64, now: UInt32, keepsOthers: Bool, text: () -> String?, service: (String) -> Int?
    ) -> (reference: ServiceReference, service: Int?)? {
        let base = Int(truncatingIfNeeded: key &>> 7) & (NameTable.nameCount / NameTable.ways - 1)
        let first = base * NameTable.ways
        var place = first
        for index in first..<first + NameTable.ways {
            if slots[index].isUsed != 0, slots[index].key == key {
                slots[index].lastUsed = now
                return found(index)
            }
            if slots[index].isUsed == 0 {
                if slots[place].isUsed != 0 { place = index }
            } else if slots[place].isUsed != 0, slots[index].lastUsed < slots[place].lastUsed {
                place = index
            }
        }
        guard let text = text() else { return nil }
        let owner = service(text)
        if texts.isEmpty { texts = Array(repeating: "", count: NameTable.nameCount) }
        texts[place] = owner == nil && !keepsOthers ? "" : text
        slots[place] = Slot(
            key: key, lastUsed: now, generation: slots[place].generation &+ 1,
            service: Int32(truncatingIfNeeded: owner ?? -1), isUsed: 1)
        return found(place)
    }

    private func found(_ index: Int) -> (reference: ServiceReference, service: Int?) {
        let owner = slots[index].service
        return (
            ServiceReference(slot: index, generation: slots[index].generation), owner < 0 ? nil : Int(owner)
        )
    }

    /// Ties an address to a name for `ttl` seconds.
    mutating func tie(_ address: IPAddress, to reference: ServiceReference, ttl: UInt32, now: UInt32) {
        let first = place(address)
        var place = first
        for index in first..<first + NameTable.ways {
            if holds(index, address) {
                place = index
                break
            }
            if addresses[index].expiry < addresses[place].expiry { place = index }
        }
        let life = min(max(ttl, NameTable.shortestLife), NameTable.longestLife)
        addresses[place] = Address(
            high: address.high, low: address.low, expiry: now &+ life, reference: reference.rawValue,
            isIPv6: address.isIPv6 ? 1 : 0)
        isEmpty = false
    }

    /// The name an address goes by now, and the configured service that the name belongs to.
    func name(of address: IPAddress, now: UInt32) -> (reference: ServiceReference, service: Int?)? {
        guard !isEmpty else { return nil }
        let first = place(address)
        for index in first..<first + NameTable.ways where holds(index, address) {
            guard addresses[index].expiry > now,
                let slot = ServiceReference(rawValue: addresses[index].reference).slot,
                slots[slot.index].generation & 0xFFFF == slot.generation
            else { return nil }
            return found(slot.index)
        }
        return nil
    }

    /// The text of a name; nil where its slot has been used anew.
    func text(_ reference: ServiceReference) -> String? {
        guard let slot = reference.slot, slots[slot.index].generation & 0xFFFF == slot.generation,
            slot.index < texts.count
        else { return nil }
        return texts[slot.index]
    }

    private func place(_ address: IPAddress) -> Int {
        let value = hash.hash(address.high, address.low, address.isIPv6 ? 1 : 0)
        return (Int(truncatingIfNeeded: value) & (NameTable.addressCount / NameTable.ways - 1)) * NameTable.ways
    }

    private func holds(_ index: Int, _ address: IPAddress) -> Bool {
        addresses[index].expiry != 0 && addresses[index].low == address.low && addresses[index].high == address.high
            && (addresses[index].isIPv6 != 0) == address.isIPv6
    }
}
