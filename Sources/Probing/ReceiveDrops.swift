// What the kernel threw away of the answers: our own loss, told apart from strangers' broken packets.

/// Follows the drop counter of one socket.
///
/// A raw ICMPv6 socket counts messages with a wrong checksum among its drops. These say nothing of our buffer: anybody
/// could send one now and then, and hide every outage behind it. So they are taken off again, by the host's counter of
/// such errors. That counts all types of message, those too that the socket does not read, so what it counted before
/// the last thorough look excuses nothing.
struct ReceiveDrops {
    /// The socket's counter, which wraps; nil where the kernel does not say.
    private let drops: () -> UInt32?
    /// The host's counter of checksum errors; nil for a socket that does not count them as drops.
    private let errors: () -> UInt64?
    private var seenDrops: UInt32
    /// Checksum errors that have excused their drop, or can excuse none any more.
    private var spentErrors: UInt64

    init(drops: @escaping () -> UInt32?, errors: @escaping () -> UInt64?) {
        self.drops = drops
        self.errors = errors
        // In this order: an error without its drop is forgotten at the next look, a drop without its error never.
        spentErrors = errors() ?? 0
        seenDrops = drops() ?? 0
    }

    /// Answers that the kernel had no room for since the last look.
    ///
    /// A `thorough` look, one a second, also lets old errors lapse; that costs the reading of a file in /proc. Any other
    /// look costs a system call unless there was a drop.
    mutating func look(thorough: Bool) -> UInt64 {
        // The kernel counts the drop of such a message before its error. So each error that was counted before the drops
        // are read has its drop among them, and each drop that is among them has its error counted after.
        let before = thorough ? errors() : nil
        defer { if let before { spentErrors = max(spentErrors, before) } }
        guard let now = drops() else { return 0 }
        let dropped = UInt64(now &- seenDrops)
        seenDrops = now
        guard dropped > 0 else { return 0 }
        guard let after = errors(), after > spentErrors else { return dropped }
        let excused = min(dropped, after - spentErrors)
        spentErrors += excused
        return dropped - excused
    }
}
