// The kernel's filter: what the engine can read, and what the configuration narrows it to.

/// Filter expressions in pcap's language, the most precise first.
enum CaptureFilter {
    /// What is measured, on any link that carries IP. Extension headers of IPv6 hide the protocol from the kernel, so
    /// packets that begin with one pass; fragments pass, to be counted.
    private static let readable =
        "tcp or udp port 53 or icmp or icmp6 or ip proto 4 or ip proto 41 or ip proto 47 or ip proto 51"
        + " or ip6 proto 4 or ip6 proto 41 or ip6 proto 47 or (ip[6:2] & 0x1fff != 0)"
        + " or ip6 proto 0 or ip6 proto 43 or ip6 proto 44 or ip6 proto 51 or ip6 proto 60"
        + " or udp dst port 4789 or udp dst port 8472 or udp dst port 4790 or udp dst port 6081 or udp dst port 2152"
        + " or udp port 500 or \(overEither)"

    /// Handshakes of VPNs, by first bytes and length, so that what goes through a tunnel (most of all packets on its
    /// gateway, and nothing is measured of it) stays in the kernel. `field` names bytes from the UDP header on.
    private static func handshakes(_ field: (_ offset: Int, _ size: Int) -> String) -> String {
        let length = field(4, 2)
        let first = field(8, 1)
        let word = field(8, 4)
        return [
            // IKE behind the marker that tells it from ESP.
            "(udp port 4500 and \(word) = 0)",
            // WireGuard.
            "(\(word) = 0x01000000 and \(length) = 156)", "(\(word) = 0x02000000 and \(length) = 100)",
            "(\(word) = 0x03000000 and \(length) = 72)",
            // OpenVPN's resets.
            "(\(first) = 0x38 and \(length) >= 22 and \(length) <= 94)",
            "(\(first) = 0x40 and \(length) >= 34 and \(length) <= 106)",
            "(\(first) = 0x50 and \(length) >= 352 and \(length) <= 1087)",
        ].joined(separator: " or ")
    }

    /// The language has an accessor for UDP over IPv4 only.
    private static let overEither =
        handshakes { "udp[\($0):\($1)]" } + " or (ip6 proto 17 and (" + handshakes { "ip6[\(40 + $0):\($1)]" } + "))"

    /// Tags, labels and sessions, which only Ethernet-like links have. By type rather than by the keywords `vlan` and
    /// `mpls`, which would shift every offset behind them.
    private static let framed =
        "ether proto 0x8100 or ether proto 0x88a8 or ether proto 0x9100 or ether proto 0x8847 or ether proto 0x8848"
        + " or ether proto 0x8864"

    /// Expressions to try in turn. `filter` is the configuration's own; where it does not compile, none does.
    static func expressions(narrowedBy filter: String?) -> [String] {
        let readings = ["\(readable) or \(framed)", readable]
        guard let filter, !filter.allSatisfy(\.isWhitespace) else { return readings }
        return readings.map { "(\(filter)) and (\($0))" } + [filter]
    }
}
