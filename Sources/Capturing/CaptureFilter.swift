// The kernel's filter: what the engine can read, what of it is kept whole, and what the configuration narrows it to.

/// Filter expressions in pcap's language.
enum CaptureFilter {
    /// Bytes kept of packets that names are read from: what fits into an Ethernet frame and a bit more. A QUIC Initial
    /// is encrypted as one and can be read whole or not at all.
    static let wholeLength = 2_048

    /// What is measured, on any link that carries IP. Extension headers of IPv6 hide the protocol from the kernel, so
    /// packets that begin with one pass; fragments pass, to be counted.
    private static let readable =
        "tcp or udp port 53 or icmp or icmp6 or ip proto 4 or ip proto 41 or ip proto 47 or ip proto 51"
        + " or ip6 proto 4 or ip6 proto 41 or ip6 proto 47 or (ip[6:2] & 0x1fff != 0)"
        + " or ip6 proto 0 or ip6 proto 43 or ip6 proto 44 or ip6 proto 51 or ip6 proto 60"
        + " or udp dst port 4789 or udp dst port 8472 or udp dst port 4790 or udp dst port 6081 or udp dst port 2152"
        // All of QUIC's usual port, for the spin bit of short headers; elsewhere its long headers.
        + " or udp port 500 or udp port 443 or \(overEither(handshakes)) or \(overEither(quic))"

    /// What names are read from: answers of DNS, QUIC until it has its keys, and the first bytes of TLS. A ClientHello may
    /// go on in a second segment, which nothing marks but that it is pushed, so what is pushed to the usual port is kept.
    ///
    /// To look behind a packet's end is to refuse it, so each look asks for the length first.
    private static let named =
        "udp port 53 or tcp port 53 or \(overEither(quic)) or (tcp dst port 443 and tcp[13:1] & 8 != 0)"
        + " or (tcp and ip[6:2] & 0x1fff = 0 and ip[2:2] >= ((ip[0:1] & 0xf) << 2) + ((tcp[12:1] & 0xf0) >> 2) + 2"
        + " and tcp[((tcp[12:1] & 0xf0) >> 2):2] = 0x1603)"
        + " or (ip6 proto 6 and dst port 443 and ip6[53:1] & 8 != 0)"
        + " or (ip6 proto 6 and ip6[4:2] >= ((ip6[52:1] & 0xf0) >> 2) + 2"
        + " and ip6[40 + ((ip6[52:1] & 0xf0) >> 2):2] = 0x1603)"

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

    /// QUIC's long headers by form bit and version: 1, 2, negotiation, drafts, mvfst's, and those that ask for
    /// negotiation.
    private static func quic(_ field: (_ offset: Int, _ size: Int) -> String) -> String {
        let version = field(9, 4)
        let versions = [
            "\(version) = 1", "\(version) = 0x6b3343cf", "\(version) = 0", "\(version) & 0xffffff00 = 0xff000000",
            "\(version) & 0xfffffff0 = 0xfaceb000", "\(version) & 0x0f0f0f0f = 0x0a0a0a0a",
        ]
        return "(\(field(4, 2)) >= 15 and \(field(8, 1)) & 0x80 != 0 and (\(versions.joined(separator: " or "))))"
    }

    /// A condition on the bytes of a UDP datagram; the language has an accessor for them over IPv4 only.
    private static func overEither(_ condition: ((_ offset: Int, _ size: Int) -> String) -> String) -> String {
        "(" + condition { "udp[\($0):\($1)]" } + ") or (ip6 proto 17 and (" + condition { "ip6[\(40 + $0):\($1)]" }
            + "))"
    }

    /// Tags, labels and sessions, which only Ethernet-like links have. By type rather than by the keywords `vlan` and
    /// `mpls`, which would shift every offset behind them.
    private static let framed =
        "ether proto 0x8100 or ether proto 0x88a8 or ether proto 0x9100 or ether proto 0x8847 or ether proto 0x8848"
        + " or ether proto 0x8864"

    /// Expressions to try in turn, the most precise first. `filter` is the configuration's own; where it does not
    /// compile, none does.
    static func expressions(narrowedBy filter: String?) -> [String] {
        let readings = ["\(readable) or \(framed)", readable]
        guard let filter = filter.flatMap({ $0.allSatisfy(\.isWhitespace) ? nil : $0 }) else { return readings }
        return readings.map { "(\(filter)) and (\($0))" } + [filter]
    }

    /// What of that is kept up to `wholeLength`.
    static func whole(narrowedBy filter: String?) -> String {
        guard let filter = filter.flatMap({ $0.allSatisfy(\.isWhitespace) ? nil : $0 }) else { return named }
        return "(\(filter)) and (\(named))"
    }
}
