// A NETLINK_ROUTE socket: questions to the kernel's routing tables, and its news of them.

internal import CLinux
internal import Glibc

/// A route netlink socket of one owner.
struct NetlinkSocket: ~Copyable {
    let descriptor: OwnedDescriptor

    /// - Parameters:
    ///   - groups: `RTNLGRP_*` numbers to listen to.
    ///   - isBlocking: whether a read waits; a dump does, at most two seconds.
    init(groups: [Int32] = [], isBlocking: Bool) throws(SystemError) {
        let opened = try Self.open(isBlocking: isBlocking)
        try Self.configure(opened.rawValue, groups: groups, isBlocking: isBlocking)
        descriptor = opened
    }

    private static func open(isBlocking: Bool) throws(SystemError) -> OwnedDescriptor {
        let kind = Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let flags = isBlocking ? 0 : Int32(SOCK_NONBLOCK.rawValue)
        return try Syscall.descriptor("socket", "AF_NETLINK") { socket(AF_NETLINK, kind | flags, NETLINK_ROUTE) }
    }

    private static func configure(_ number: Int32, groups: [Int32], isBlocking: Bool) throws(SystemError) {
        var address = sockaddr_nl()
        address.nl_family = sa_family_t(AF_NETLINK)
        try Syscall.check("bind", "AF_NETLINK") {
            unsafe withUnsafePointer(to: &address) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe Glibc.bind(number, $0, socklen_t(MemoryLayout<sockaddr_nl>.size))
                }
            }
        }
        for group in groups {
            try Syscall.setOption(number, level: SOL_NETLINK, name: NETLINK_ADD_MEMBERSHIP, to: group)
        }
        guard isBlocking else { return }
        var limit = timeval(tv_sec: 2, tv_usec: 0)
        try Syscall.check("setsockopt", "SO_RCVTIMEO") {
            unsafe setsockopt(number, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
    }

    /// One read of what is waiting. `ENOBUFS` is `.failed`: the kernel had more news than room.
    func receive(into buffer: inout [UInt8]) -> Syscall.Attempt<Int> {
        let number = descriptor.rawValue
        return unsafe buffer.withUnsafeMutableBytes { raw in
            let base = raw.baseAddress
            let room = raw.count
            return Syscall.attempt { unsafe recv(number, base, room, 0) }
        }
    }

    /// Asks for a whole table and calls `body` for each message of the answer.
    ///
    /// Returns false where the table changed meanwhile, so that the answer may hold both states or neither.
    func dump(type: Int32, family: UInt8, bodyLength: Int, _ body: (NetlinkMessage) -> Void) throws(SystemError) -> Bool
    {
        let sequence = UInt32.random(in: 1...UInt32.max)
        try send(Self.request(type: type, family: family, bodyLength: bodyLength, sequence: sequence))
        var buffer = [UInt8](repeating: 0, count: 65_536)
        var isConsistent = true
        var isDone = false
        var failure: Int32 = 0
        while !isDone {
            let count: Int
            switch receive(into: &buffer) {
            case .value(let number): count = number
            case .wouldBlock: throw SystemError(call: "recv", errno: ETIMEDOUT, context: "netlink dump \(type)")
            case .failed(let code): throw SystemError(call: "recv", errno: code, context: "netlink dump \(type)")
            }
            NetlinkMessage.each(in: buffer[..<count]) { message in
                guard message.sequence == sequence else { return }
                if message.flags & UInt16(NLM_F_DUMP_INTR) != 0 { isConsistent = false }
                switch Int32(message.type) {
                case NLMSG_DONE: isDone = true
                case NLMSG_ERROR:
                    isDone = true
                    failure = 0 &- Int32(bitPattern: message.payload.host32(0) ?? 0)
                default: body(message)
                }
            }
        }
        if failure != 0 { throw SystemError(call: "netlink", errno: failure, context: "dump \(type)") }
        return isConsistent
    }

    private func send(_ request: [UInt8]) throws(SystemError) {
        let number = descriptor.rawValue
        try Syscall.check("send", "AF_NETLINK") {
            unsafe request.withUnsafeBytes { unsafe Glibc.send(number, $0.baseAddress, $0.count, 0) }
        }
    }

    /// A request whose body is all zero but for the family in its first byte.
    private static func request(type: Int32, family: UInt8, bodyLength: Int, sequence: UInt32) -> [UInt8] {
        var header = nlmsghdr()
        let length = NetlinkMessage.headerLength + bodyLength
        header.nlmsg_len = UInt32(length)
        header.nlmsg_type = UInt16(truncatingIfNeeded: type)
        header.nlmsg_flags = UInt16(NLM_F_REQUEST) | UInt16(NLM_F_ROOT) | UInt16(NLM_F_MATCH)
        header.nlmsg_seq = sequence
        var bytes = unsafe withUnsafeBytes(of: header) { unsafe [UInt8]($0) }
        bytes.append(family)
        bytes += [UInt8](repeating: 0, count: NetlinkMessage.aligned(bodyLength) - 1)
        return bytes
    }
}
