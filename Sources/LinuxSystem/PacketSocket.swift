// Packet sockets and the interfaces they are bound to: packet(7), netdevice(7).

internal import CLinux
internal import Glibc

/// A network interface as a packet socket sees it.
public struct PacketInterface: Hashable, Sendable {
    /// Never used anew while the host runs: an interface that was deleted and made again has another one.
    public var index: UInt32
    /// `ARPHRD_*`: the framing of its packets.
    public var hardwareType: UInt16

    /// The interface of that name now; nil where there is none.
    ///
    /// `descriptor` is any socket of the network namespace that is meant.
    public init?(named name: String, seenBy descriptor: Int32) {
        // struct ifreq: 16 bytes of name, then a union; the address family stands first in an address.
        var request = [UInt8](repeating: 0, count: 40)
        guard name.utf8.count < Int(IFNAMSIZ) else { return nil }
        for (position, byte) in name.utf8.enumerated() { request[position] = byte }
        guard Self.ask(descriptor, UInt(SIOCGIFINDEX), &request) else { return nil }
        let found = unsafe request.withUnsafeBytes { unsafe $0.loadUnaligned(fromByteOffset: 16, as: Int32.self) }
        guard found > 0 else { return nil }
        index = UInt32(found)
        for position in 16..<40 { request[position] = 0 }
        guard Self.ask(descriptor, UInt(SIOCGIFHWADDR), &request) else { return nil }
        hardwareType = unsafe request.withUnsafeBytes { unsafe $0.loadUnaligned(fromByteOffset: 16, as: UInt16.self) }
    }

    private static func ask(_ descriptor: Int32, _ question: UInt, _ request: inout [UInt8]) -> Bool {
        // The kernel writes no more than the 40 bytes of an ifreq.
        unsafe request.withUnsafeMutableBytes { unsafe taut_ioctl(descriptor, question, $0.baseAddress) == 0 }
    }
}

/// What can be done to a packet socket without privileges, once it is open.
public enum PacketSocket {
    /// A frame type that is reserved: a socket bound to it is handed nothing.
    private static let noType: UInt16 = 0xFFFF

    /// Has the socket receive every packet of the interface, and of no other.
    public static func bind(_ descriptor: Int32, to index: UInt32) throws(SystemError) {
        try bind(descriptor, index: index, type: UInt16(ETH_P_ALL))
    }

    /// Has the socket receive nothing until it is bound to an interface.
    public static func silence(_ descriptor: Int32) throws(SystemError) {
        let loopback = PacketInterface(named: "lo", seenBy: descriptor)
        try bind(descriptor, index: loopback?.index ?? 1, type: noType)
    }

    private static func bind(_ descriptor: Int32, index: UInt32, type: UInt16) throws(SystemError) {
        var address = sockaddr_ll()
        address.sll_family = sa_family_t(AF_PACKET)
        address.sll_protocol = type.bigEndian
        address.sll_ifindex = Int32(clamping: index)
        try Syscall.check("bind", "packet socket to interface \(index)") {
            unsafe withUnsafePointer(to: &address) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe Glibc.bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_ll>.size))
                }
            }
        }
    }

    /// Has the interface hand up what is not addressed to the host, as long as the socket is open.
    public static func setPromiscuous(_ descriptor: Int32, interface index: UInt32) throws(SystemError) {
        var request = packet_mreq()
        request.mr_ifindex = Int32(clamping: index)
        request.mr_type = UInt16(PACKET_MR_PROMISC)
        try Syscall.check("setsockopt", "PACKET_ADD_MEMBERSHIP") {
            unsafe setsockopt(
                descriptor, Int32(SOL_PACKET), Int32(PACKET_ADD_MEMBERSHIP), &request,
                socklen_t(MemoryLayout<packet_mreq>.size))
        }
    }

    /// The version of the socket's receive ring, 0-based as in `enum tpacket_versions` (2: TPACKET_V3).
    public static func ringVersion(_ descriptor: Int32) throws(SystemError) -> Int32 {
        try Syscall.option(descriptor, level: Int32(SOL_PACKET), name: Int32(PACKET_VERSION))
    }
}
