// Linux capabilities: capabilities(7). They belong to threads, so all of this happens before the second thread.

internal import CLinux
internal import Glibc

/// The capabilities of this process, and their end.
public enum Capabilities {
    /// A capability by its number in <linux/capability.h>.
    public struct Capability: RawRepresentable, Hashable, Sendable {
        public let rawValue: Int32

        public init(rawValue: Int32) { self.rawValue = rawValue }

        /// Raw and packet sockets.
        public static let netRaw = Capability(rawValue: CAP_NET_RAW)
        public static let netAdmin = Capability(rawValue: CAP_NET_ADMIN)
        public static let sysAdmin = Capability(rawValue: CAP_SYS_ADMIN)
        public static let setPCap = Capability(rawValue: CAP_SETPCAP)
    }

    /// The sets of one thread as /proc shows them; a bit a capability.
    public struct ThreadSets: Hashable, Sendable {
        /// The kernel's thread id.
        public let thread: Int32
        public let effective: UInt64
        public let permitted: UInt64
        public let inheritable: UInt64
        public let ambient: UInt64
        /// What execve could still grant; without a meaning once `noNewPrivileges` is set and the rest is empty.
        public let bounding: UInt64
        public let noNewPrivileges: Bool

        /// Nothing can be done with a capability now, nor regained by executing a program.
        public var isPowerless: Bool { effective | permitted | inheritable | ambient == 0 && noNewPrivileges }
    }

    /// Whether the calling thread may use `capability` now.
    public static func has(_ capability: Capability) -> Bool {
        guard (0..<64).contains(capability.rawValue), let sets = try? currentSets() else { return false }
        return sets.effective & (1 << UInt64(capability.rawValue)) != 0
    }

    /// Gives up every capability of the calling thread for good, and the way to regain one (no_new_privs).
    ///
    /// Ambient, bounding (where CAP_SETPCAP allows it), effective, permitted and inheritable sets are emptied, and the
    /// securebits locked so that uid 0 means nothing any more. Call it before a second thread exists. Throws where
    /// something remains that must not.
    public static func dropAll() throws(SystemError) {
        // Both need CAP_SETPCAP, which a service without root lacks; it has nothing there that could be regained.
        if has(.setPCap) {
            // KEEP_CAPS off; NO_SETUID_FIXUP, NOROOT and NO_CAP_AMBIENT_RAISE on; all four locked.
            let bits: UInt = 0b1110_1111
            try Syscall.check("prctl", "PR_SET_SECUREBITS") { taut_prctl(PR_SET_SECUREBITS, bits, 0, 0, 0) }
            try emptyBoundingSet()
        }
        try Syscall.check("prctl", "PR_CAP_AMBIENT_CLEAR_ALL") {
            taut_prctl(PR_CAP_AMBIENT, UInt(PR_CAP_AMBIENT_CLEAR_ALL), 0, 0, 0)
        }
        try Syscall.check("capset") { taut_clear_capabilities() }
        try Syscall.check("prctl", "PR_SET_NO_NEW_PRIVS") { taut_prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }
        guard try currentSets().isPowerless else {
            throw SystemError(call: "capset", errno: EPERM, context: "not empty")
        }
    }

    /// The sets of every thread of this process, from /proc/self/task.
    ///
    /// A thread that ends meanwhile is left out.
    public static func allThreads() throws(SystemError) -> [ThreadSets] {
        var result: [ThreadSets] = []
        for name in try FileContents.names(inDirectory: "/proc/self/task", limit: 65_536) {
            guard let thread = Int32(name) else { continue }
            do {
                result.append(try sets(path: "/proc/self/task/\(name)/status", thread: thread))
            } catch  where error.errno == ENOENT || error.errno == ESRCH {
                continue
            }
        }
        return result.sorted { $0.thread < $1.thread }
    }

    /// Checks that no thread of this process holds a capability or could regain one.
    ///
    /// Returns a sentence for each that does; empty means verified. Throws where /proc cannot be read.
    public static func verifyAllThreads() throws(SystemError) -> [String] {
        try allThreads().filter { !$0.isPowerless }.map { sets in
            "thread \(sets.thread) holds capabilities: effective \(hex(sets.effective)), "
                + "permitted \(hex(sets.permitted)), inheritable \(hex(sets.inheritable)), ambient \(hex(sets.ambient))"
                + (sets.noNewPrivileges ? "" : ", no_new_privs not set")
        }
    }

    /// The sets in the text of a /proc status file; nil where a line is missing or not a number.
    static func parse(status text: String, thread: Int32) -> ThreadSets? {
        var fields: [Substring: Substring] = [:]
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { continue }
            fields[parts[0]] = parts[1].drop { $0 == "\t" || $0 == " " }
        }
        func mask(_ name: Substring) -> UInt64? { fields[name].flatMap { UInt64($0, radix: 16) } }
        guard let effective = mask("CapEff"), let permitted = mask("CapPrm"), let inheritable = mask("CapInh"),
            let ambient = mask("CapAmb"), let bounding = mask("CapBnd"), let noNew = fields["NoNewPrivs"]
        else { return nil }
        return ThreadSets(
            thread: thread, effective: effective, permitted: permitted, inheritable: inheritable, ambient: ambient,
            bounding: bounding, noNewPrivileges: noNew == "1")
    }

    private static func currentSets() throws(SystemError) -> ThreadSets {
        try sets(path: "/proc/thread-self/status", thread: taut_gettid())
    }

    private static func sets(path: String, thread: Int32) throws(SystemError) -> ThreadSets {
        guard let sets = parse(status: try FileContents.text(path: path, limit: 65_536), thread: thread) else {
            throw SystemError(call: "parse", errno: EPROTO, context: path)
        }
        return sets
    }

    private static func emptyBoundingSet() throws(SystemError) {
        for number in 0..<UInt(64) {
            switch Syscall.attempt({ taut_prctl(PR_CAPBSET_DROP, number, 0, 0, 0) }) {
            case .value: continue
            case .failed(EINVAL): return  // Past the last capability of this kernel.
            case .failed(let code): throw SystemError(call: "prctl", errno: code, context: "PR_CAPBSET_DROP \(number)")
            case .wouldBlock: return
            }
        }
    }

    private static func hex(_ mask: UInt64) -> String { "0x" + String(mask, radix: 16) }
}
