// Kernel timestamps of sent and received packets: Documentation/networking/timestamping.rst.

internal import CLinux
internal import Glibc

/// Turns on software timestamps.
public enum SocketTimestamping {
    /// What comes back to the error queue with a transmit stamp.
    public enum Loopback: Sendable {
        /// The stamp alone: for sockets that send one packet.
        case none
        /// The packet too, link-layer header in front, so that a stamp is matched by the packet's own content and never
        /// by a count that a failed send puts out of step.
        case packet
    }

    /// Asks for software stamps of CLOCK_REALTIME when a packet is handed to the driver and when one comes in.
    public static func enable(_ descriptor: Int32, loopback: Loopback) throws(SystemError) {
        var flags = UInt32(SOF_TIMESTAMPING_TX_SOFTWARE)
        flags |= UInt32(SOF_TIMESTAMPING_RX_SOFTWARE)
        flags |= UInt32(SOF_TIMESTAMPING_SOFTWARE)
        if loopback == .none { flags |= UInt32(SOF_TIMESTAMPING_OPT_TSONLY) }
        try Syscall.setOption(
            descriptor, level: SOL_SOCKET, name: SO_TIMESTAMPING, to: Int32(bitPattern: flags))
    }

    /// Has ICMP errors about what this socket sent put into its error queue.
    public static func enableErrorQueue(_ descriptor: Int32, isIPv6: Bool) throws(SystemError) {
        try Syscall.setOption(
            descriptor, level: isIPv6 ? Int32(IPPROTO_IPV6) : Int32(IPPROTO_IP),
            name: isIPv6 ? IPV6_RECVERR : IP_RECVERR, to: 1)
    }

    /// Lets a raw ICMP socket receive messages of `types` only.
    public static func filterICMP(_ descriptor: Int32, isIPv6: Bool, types: [UInt8]) throws(SystemError) {
        // ICMP_FILTER blocks the types whose bit is set, of the first 32; ICMP6_FILTER of all 256.
        var blocked = [UInt32](repeating: .max, count: isIPv6 ? 8 : 1)
        for type in types where Int(type) / 32 < blocked.count { blocked[Int(type) / 32] &= ~(1 << UInt32(type % 32)) }
        let level = isIPv6 ? Int32(IPPROTO_ICMPV6) : Int32(255)
        try Syscall.check("setsockopt", "ICMP filter") {
            unsafe blocked.withUnsafeBytes { raw in
                unsafe setsockopt(descriptor, level, 1, raw.baseAddress, socklen_t(raw.count))
            }
        }
    }

    /// Enlarges the receive buffer to `bytes`: beyond the administrator's limit where that is permitted, else up to it.
    public static func setReceiveBuffer(_ descriptor: Int32, bytes: Int32) {
        enlarge(descriptor, bytes, force: SO_RCVBUFFORCE, within: SO_RCVBUF)
    }

    /// The same for the send buffer.
    public static func setSendBuffer(_ descriptor: Int32, bytes: Int32) {
        enlarge(descriptor, bytes, force: SO_SNDBUFFORCE, within: SO_SNDBUF)
    }

    private static func enlarge(_ descriptor: Int32, _ bytes: Int32, force: Int32, within: Int32) {
        do {
            try Syscall.setOption(descriptor, level: SOL_SOCKET, name: force, to: bytes)
        } catch {
            // Without CAP_NET_ADMIN the kernel cuts the wish at net.core.rmem_max or wmem_max; a smaller buffer is no
            // failure.
            try? Syscall.setOption(descriptor, level: SOL_SOCKET, name: within, to: bytes)
        }
    }
}
