// Who is at the other end of a connection: SO_PEERCRED and SO_PEERGROUPS of unix(7).

internal import CLinux
internal import Glibc
internal import LinuxSystem

/// The process that connected, as the kernel knows it.
public struct ControlPeer: Hashable, Sendable {
    public let pid: Int32
    public let uid: UInt32
    public let gid: UInt32
    /// Supplementary groups.
    public let groups: [UInt32]

    public init(pid: Int32, uid: UInt32, gid: UInt32, groups: [UInt32] = []) {
        self.pid = pid
        self.uid = uid
        self.gid = gid
        self.groups = groups
    }

    /// Root, the daemon's own user, and members of the socket file's group may ask.
    func isAdmitted(owner: UInt32, group: UInt32) -> Bool {
        uid == 0 || uid == owner || gid == group || groups.contains(group)
    }

    /// The peer of the connected socket `descriptor`.
    static func of(_ descriptor: Int32) throws(SystemError) -> ControlPeer {
        var credentials = ucred()
        var length = socklen_t(MemoryLayout<ucred>.size)
        try Syscall.check("getsockopt", "SO_PEERCRED") {
            unsafe getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &length)
        }
        // Most users have a few groups; the kernel says by ERANGE how much room the others need, 65,536 groups at most.
        var groups = [UInt32](repeating: 0, count: 64)
        for _ in 0..<2 {
            var bytes = socklen_t(groups.count * MemoryLayout<UInt32>.size)
            let found = Syscall.attempt {
                unsafe getsockopt(descriptor, SOL_SOCKET, SO_PEERGROUPS, &groups, &bytes)
            }
            let count = min(Int(bytes) / MemoryLayout<UInt32>.size, 65_536)
            if case .value = found {
                return ControlPeer(
                    pid: credentials.pid, uid: credentials.uid, gid: credentials.gid,
                    groups: Array(groups.prefix(count)))
            }
            guard case .failed(ERANGE) = found, count > groups.count else { break }
            groups = [UInt32](repeating: 0, count: count)
        }
        return ControlPeer(pid: credentials.pid, uid: credentials.uid, gid: credentials.gid)
    }
}
