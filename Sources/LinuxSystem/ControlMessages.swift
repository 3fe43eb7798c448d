// Ancillary data of sendmsg and recvmsg, cmsg(3), and the error queue, ip(7) and timestamping.rst.

internal import CLinux
internal import Glibc
public import Wire

/// An entry of a socket's error queue: where the error came from and what it says.
public struct ExtendedSocketError: Hashable, Sendable {
    public enum Origin: Hashable, Sendable { case local, icmp, icmpv6, timestamping, other }

    public let origin: Origin
    /// The error number that the socket call would get.
    public let errno: Int32
    /// Type and code of the ICMP message, where there is one.
    public let type: UInt8
    public let code: UInt8
    /// Who sent the ICMP message.
    public let offender: IPAddress?
}

/// What came beside the bytes of a message.
struct ReceivedControl {
    /// The kernel's software timestamp, CLOCK_REALTIME in nanoseconds.
    var stamp: Int64?
    var error: ExtendedSocketError?

    /// Reads the control messages in `buffer`; what is cut or unknown is passed over.
    @unsafe
    init(_ buffer: UnsafeRawBufferPointer) {
        var offset = 0
        let header = MemoryLayout<cmsghdr>.size
        while offset + header <= buffer.count {
            let message = unsafe buffer.loadUnaligned(fromByteOffset: offset, as: cmsghdr.self)
            let length = Int(message.cmsg_len)
            guard length >= header, offset + length <= buffer.count else { return }
            let data = unsafe UnsafeRawBufferPointer(rebasing: buffer[offset + header..<offset + length])
            unsafe read(level: message.cmsg_level, type: message.cmsg_type, data)
            offset += (length + 7) & ~7
        }
    }

    @unsafe
    private mutating func read(level: Int32, type: Int32, _ data: UnsafeRawBufferPointer) {
        switch (level, type) {
        case (SOL_SOCKET, SO_TIMESTAMPING):
            guard data.count >= MemoryLayout<timespec>.size else { return }
            let time = unsafe data.loadUnaligned(as: timespec.self)
            if time.tv_sec != 0 || time.tv_nsec != 0 { stamp = Clock.nanoseconds(time) }
        case (Int32(IPPROTO_IP), IP_RECVERR), (Int32(IPPROTO_IPV6), IPV6_RECVERR):
            let size = MemoryLayout<sock_extended_err>.size
            guard data.count >= size else { return }
            let entry = unsafe data.loadUnaligned(as: sock_extended_err.self)
            let rest = unsafe UnsafeRawBufferPointer(rebasing: data[size...])
            let offender = unsafe rest.baseAddress.flatMap { unsafe SocketAddress(reading: $0, length: rest.count) }
            error = ExtendedSocketError(
                origin: Self.origin(entry.ee_origin), errno: Int32(bitPattern: entry.ee_errno), type: entry.ee_type,
                code: entry.ee_code, offender: offender?.address)
        default: break
        }
    }

    /// SO_EE_ORIGIN_* of linux/errqueue.h.
    private static func origin(_ number: UInt8) -> ExtendedSocketError.Origin {
        switch number {
        case 1: .local
        case 2: .icmp
        case 3: .icmpv6
        case 4: .timestamping
        default: .other
        }
    }
}

/// How one packet shall leave, where it differs from the socket's own settings.
public struct SendOptions: Hashable, Sendable {
    /// Time to live or hop limit, 1...255.
    public var hopLimit: Int?
    /// The whole traffic class byte: DSCP shifted left by two.
    public var trafficClass: Int?
    public var source: IPAddress?
    public var interface: Int32?

    public init(hopLimit: Int? = nil, trafficClass: Int? = nil, source: IPAddress? = nil, interface: Int32? = nil) {
        self.hopLimit = hopLimit
        self.trafficClass = trafficClass
        self.source = source
        self.interface = interface
    }

    /// Bytes that `write` needs at most: three messages.
    static let controlSize = 96

    /// Writes the control messages for the family to `buffer` of `controlSize` bytes and returns their length.
    @unsafe
    func write(isIPv6: Bool, to buffer: UnsafeMutableRawPointer) -> Int {
        var offset = 0
        let level = isIPv6 ? Int32(IPPROTO_IPV6) : Int32(IPPROTO_IP)
        func put<Value: BitwiseCopyable>(_ type: Int32, _ value: Value) {
            let header = MemoryLayout<cmsghdr>.size
            let length = header + MemoryLayout<Value>.size
            unsafe buffer.storeBytes(of: length, toByteOffset: offset, as: Int.self)
            unsafe buffer.storeBytes(of: level, toByteOffset: offset + 8, as: Int32.self)
            unsafe buffer.storeBytes(of: type, toByteOffset: offset + 12, as: Int32.self)
            unsafe buffer.storeBytes(of: value, toByteOffset: offset + header, as: Value.self)
            offset += (length + 7) & ~7
        }
        if let hopLimit { put(isIPv6 ? Int32(IPV6_HOPLIMIT) : IP_TTL, Int32(clamping: hopLimit)) }
        if let trafficClass { put(isIPv6 ? Int32(IPV6_TCLASS) : IP_TOS, Int32(clamping: trafficClass)) }
        guard source != nil || interface != nil else { return offset }
        if isIPv6 {
            // struct in6_pktinfo: the address, then the interface.
            let address = source ?? IPAddress(v6High: 0, low: 0)
            put(
                Int32(IPV6_PKTINFO),
                IPv6PacketInformation(
                    high0: UInt32(truncatingIfNeeded: address.high >> 32).bigEndian,
                    high1: UInt32(truncatingIfNeeded: address.high).bigEndian,
                    low0: UInt32(truncatingIfNeeded: address.low >> 32).bigEndian,
                    low1: UInt32(truncatingIfNeeded: address.low).bigEndian, interface: interface ?? 0))
        } else {
            // struct in_pktinfo: the interface, the source, and an address that is for receiving only.
            put(
                Int32(IP_PKTINFO),
                IPv4PacketInformation(
                    interface: interface ?? 0, source: (source?.v4Bits ?? 0).bigEndian, destination: 0))
        }
        return offset
    }
}

/// The layout of `struct in_pktinfo`.
private struct IPv4PacketInformation: BitwiseCopyable {
    let interface: Int32
    let source: UInt32
    let destination: UInt32
}

/// The layout of `struct in6_pktinfo`: twenty bytes, so the address is kept in quarters.
private struct IPv6PacketInformation: BitwiseCopyable {
    let high0: UInt32
    let high1: UInt32
    let low0: UInt32
    let low1: UInt32
    let interface: Int32
}
