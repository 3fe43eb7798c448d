// The kernel's filter: what the engine can read, and what the configuration narrows it to.

/// Filter expressions in pcap's language, the most precise first.
enum CaptureFilter {
    /// What is measured, on any link that carries IP. Extension headers of IPv6 hide the protocol from the kernel, so
    /// packets that begin with one pass; fragments pass, to be counted.
    private static let readable =
        "tcp or udp port 53 or icmp or icmp6 or ip proto 4 or ip proto 41 or ip proto 47 or ip6 proto 4 or ip6 proto 41"
        + " or ip6 proto 47 or udp dst port 4789 or udp dst port 8472 or (ip[6:2] & 0x1fff != 0)"
        + " or ip6 proto 0 or ip6 proto 43 or ip6 proto 44 or ip6 proto 51 or ip6 proto 60"

    /// Tags, labels and sessions, which only Ethernet-like links have. By type rather than by the keywords `vlan` and
    /// `mpls`, which would shift every offset behind them.
    private static let framed =
        "ether proto 0x8100 or ether proto 0x88a8 or ether proto 0x8847 or ether proto 0x8864"

    /// Expressions to try in turn. `filter` is the configuration's own; where it does not compile, none does.
    static func expressions(narrowedBy filter: String?) -> [String] {
        let readings = ["\(readable) or \(framed)", readable]
        guard let filter, !filter.allSatisfy(\.isWhitespace) else { return readings }
        return readings.map { "(\(filter)) and (\($0))" } + [filter]
    }
}
