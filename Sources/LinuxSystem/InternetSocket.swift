// Sockets of IPv4 and IPv6: opening, binding, connecting, and what the kernel knows of them.

internal import CLinux
internal import Glibc
public import Wire

/// Opens and asks internet sockets. All are close-on-exec and non-blocking.
public enum InternetSocket {
    /// A TCP socket.
    public static func stream(isIPv6: Bool) throws(SystemError) -> OwnedDescriptor {
        try open(isIPv6, Int32(SOCK_STREAM.rawValue), 0)
    }

    /// A UDP socket.
    public static func datagram(isIPv6: Bool) throws(SystemError) -> OwnedDescriptor {
        try open(isIPv6, Int32(SOCK_DGRAM.rawValue), 0)
    }

    /// A raw ICMP or ICMPv6 socket; needs CAP_NET_RAW.
    public static func rawICMP(isIPv6: Bool) throws(SystemError) -> OwnedDescriptor {
        try open(isIPv6, Int32(SOCK_RAW.rawValue), isIPv6 ? Int32(IPPROTO_ICMPV6) : Int32(IPPROTO_ICMP))
    }

    /// A "ping socket": ICMP echo without privilege, for groups in net.ipv4.ping_group_range.
    public static func pingICMP(isIPv6: Bool) throws(SystemError) -> OwnedDescriptor {
        try open(isIPv6, Int32(SOCK_DGRAM.rawValue), isIPv6 ? Int32(IPPROTO_ICMPV6) : Int32(IPPROTO_ICMP))
    }

    private static func open(_ isIPv6: Bool, _ type: Int32, _ proto: Int32) throws(SystemError) -> OwnedDescriptor {
        let flags = Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        return try Syscall.descriptor("socket") { socket(isIPv6 ? AF_INET6 : AF_INET, type | flags, proto) }
    }

    public static func bind(_ descriptor: Int32, to address: SocketAddress) throws(SystemError) {
        try Syscall.check("bind", "\(address)") {
            unsafe address.withSockaddr { unsafe Glibc.bind(descriptor, $0, $1) }
        }
    }

    /// Lets `descriptor` send and receive by the interface called `name` alone. Without privilege since Linux 5.7.
    public static func bind(_ descriptor: Int32, toInterface name: String) throws(SystemError) {
        let bytes = Array(name.utf8.prefix(15)) + [0]
        try Syscall.check("setsockopt", "SO_BINDTODEVICE \(name)") {
            unsafe bytes.withUnsafeBytes { raw in
                unsafe setsockopt(descriptor, SOL_SOCKET, SO_BINDTODEVICE, raw.baseAddress, socklen_t(raw.count))
            }
        }
    }

    /// Begins to connect; true where the connection stands at once.
    ///
    /// Not repeated on EINTR: a non-blocking connect goes on by itself.
    public static func connect(_ descriptor: Int32, to address: SocketAddress) throws(SystemError) -> Bool {
        let result = unsafe address.withSockaddr { unsafe Glibc.connect(descriptor, $0, $1) }
        if result == 0 { return true }
        let code = errno
        if code == EINPROGRESS || code == EINTR { return false }
        throw SystemError(call: "connect", errno: code, context: "\(address)")
    }

    public static func listen(_ descriptor: Int32, backlog: Int32 = 16) throws(SystemError) {
        try Syscall.check("listen") { Glibc.listen(descriptor, backlog) }
    }

    /// The next waiting connection, non-blocking.
    public static func accept(_ descriptor: Int32) throws(SystemError) -> OwnedDescriptor {
        let accepted = try Syscall.descriptor("accept") { Glibc.accept(descriptor, nil, nil) }
        try Syscall.check("fcntl") { fcntl(accepted.rawValue, F_SETFL, O_NONBLOCK) }
        try Syscall.check("fcntl") { fcntl(accepted.rawValue, F_SETFD, FD_CLOEXEC) }
        return accepted
    }

    /// The address that the socket is bound to.
    public static func localAddress(_ descriptor: Int32) throws(SystemError) -> SocketAddress {
        try unsafe address("getsockname") { unsafe getsockname(descriptor, $0, $1) }
    }

    private static func address(
        _ call: StaticString, _ body: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
    ) throws(SystemError) -> SocketAddress {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        var result: SocketAddress?
        let code: Int32 = unsafe withUnsafeMutablePointer(to: &storage) { pointer in
            let raw = UnsafeMutableRawPointer(pointer)
            if unsafe body(raw.assumingMemoryBound(to: sockaddr.self), &length) < 0 { return errno }
            unsafe result = SocketAddress(reading: raw, length: Int(length))
            return 0
        }
        guard code == 0, let result else {
            throw SystemError(call: call.description, errno: code == 0 ? EAFNOSUPPORT : code)
        }
        return result
    }

    /// Takes and clears the socket's pending error; 0 is none.
    public static func pendingError(_ descriptor: Int32) -> Int32 {
        (try? Syscall.option(descriptor, level: SOL_SOCKET, name: SO_ERROR)) ?? EIO
    }

    /// Ends our half of a connection, or both.
    public static func shutdown(_ descriptor: Int32, bothHalves: Bool = false) {
        _ = Syscall.attempt { Glibc.shutdown(descriptor, Int32(bothHalves ? SHUT_RDWR : SHUT_WR)) }
    }

    /// Reads and throws away at most `limit` bytes; true once the other side has closed or failed.
    public static func discardInput(_ descriptor: Int32, limit: Int) -> Bool {
        unsafe withUnsafeTemporaryAllocation(byteCount: 4_096, alignment: 8) { buffer in
            var left = limit
            while left > 0 {
                switch Syscall.attempt({ unsafe recv(descriptor, buffer.baseAddress, buffer.count, 0) }) {
                case .value(0), .failed: return true
                case .value(let count): left -= count
                case .wouldBlock: return false
                }
            }
            return true
        }
    }

    /// Sends `bytes`, no SIGPIPE.
    public static func send(_ descriptor: Int32, _ bytes: ArraySlice<UInt8>) -> Syscall.Attempt<Int> {
        unsafe bytes.withUnsafeBytes { raw in
            Syscall.attempt { unsafe Glibc.send(descriptor, raw.baseAddress, raw.count, Int32(MSG_NOSIGNAL)) }
        }
    }

    /// Appends what is there to `bytes`, at most `limit` more; 0 means that the other side has closed.
    public static func receive(
        _ descriptor: Int32, into bytes: inout [UInt8], limit: Int
    ) -> Syscall.Attempt<Int> {
        unsafe withUnsafeTemporaryAllocation(byteCount: min(max(limit, 1), 65_536), alignment: 8) { buffer in
            let attempt = Syscall.attempt { unsafe recv(descriptor, buffer.baseAddress, buffer.count, 0) }
            if case .value(let count) = attempt {
                unsafe bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: buffer[0..<count]))
            }
            return attempt
        }
    }

    /// What the kernel measured of a TCP connection.
    public struct TCPInfo: Hashable, Sendable {
        /// The smoothed round-trip time in nanoseconds (microsecond resolution): right after the handshake, that of
        /// the SYN. 0: no sample, as where the SYN had to be repeated and there are no TCP timestamps.
        public let roundTripTime: Int64
        /// Segments sent again, the SYN among them.
        public let retransmits: UInt32
    }

    /// TCP_INFO of a connected socket; nil where the kernel refuses.
    public static func tcpInfo(_ descriptor: Int32) -> TCPInfo? {
        var info = tcp_info()
        var length = socklen_t(MemoryLayout<tcp_info>.size)
        guard
            case .value = Syscall.attempt({
                unsafe getsockopt(descriptor, Int32(IPPROTO_TCP), TCP_INFO, &info, &length)
            })
        else { return nil }
        return TCPInfo(roundTripTime: Int64(info.tcpi_rtt) * 1_000, retransmits: info.tcpi_total_retrans)
    }

    /// Packets that the kernel has thrown away because the socket's receive buffer was full, since it was opened.
    public static func receiveDrops(_ descriptor: Int32) -> UInt32? {
        var information: (UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32) = (
            0, 0, 0, 0, 0, 0, 0, 0, 0
        )
        var length = socklen_t(MemoryLayout.size(ofValue: information))
        // SO_MEMINFO, whose ninth number is SK_MEMINFO_DROPS (linux/sock_diag.h).
        guard case .value = Syscall.attempt({ unsafe getsockopt(descriptor, SOL_SOCKET, 55, &information, &length) })
        else { return nil }
        return information.8
    }

    /// ICMPv6 messages that came to this host (its network namespace) with a wrong checksum; nil where the kernel does not
    /// say. A raw ICMPv6 socket counts those of the types that it reads among its drops.
    public static func checksumErrors6() -> UInt64? {
        guard let text = try? FileContents.text(path: "/proc/thread-self/net/snmp6", limit: 65_536) else { return nil }
        for line in text.split(separator: "\n") where line.hasPrefix("Icmp6InCsumErrors") {
            return line.split(whereSeparator: { $0 == " " || $0 == "\t" }).last.flatMap { UInt64($0) }
        }
        return nil
    }

    /// The source address that the kernel would use towards `destination`: a route lookup, no packet is sent.
    ///
    /// Throws ENETUNREACH and the like where there is no route.
    public static func sourceAddress(towards destination: SocketAddress) throws(SystemError) -> IPAddress {
        let probe = try datagram(isIPv6: destination.address.isIPv6)
        var destination = destination
        if destination.port == 0 { destination.port = 9 }
        _ = try connect(probe.rawValue, to: destination)
        return try localAddress(probe.rawValue).address
    }

    /// The soft limit on open descriptors.
    public static func descriptorLimit() -> Int {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1_024 }
        return Int(clamping: limit.rlim_cur)
    }
}
