// Addresses and names of hosts as people write them, with the common slips told by name.

internal import Model
internal import Wire

/// Reads what a target's `address` holds.
struct AddressReader {
    let report: Report
    private var values: ValueReader { ValueReader(report: report) }

    /// An IP address (`fe80::1%eth0` with a zone), or a DNS name.
    func address(_ node: YAMLNode) -> TargetAddress? {
        guard let scalar = values.scalar(node, "an address such as 192.0.2.1 or vpn.example.net") else { return nil }
        let text = scalar.text
        if let slip = slip(in: text, shown: node.found) {
            report.error(node.place, slip)
            return nil
        }
        let parts = text.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
        if let head = parts.first, let address = IPAddress(head) {
            return ip(address, zone: parts.count == 2 ? String(parts[1]) : nil, node)
        }
        return hostName(text, node: node, wildcard: false).map { .name($0) }
    }

    private func ip(_ address: IPAddress, zone: String?, _ node: YAMLNode) -> TargetAddress? {
        func refuse(_ sentence: String) -> TargetAddress? {
            report.error(node.place, sentence)
            return nil
        }
        if address.isUnspecified { return refuse("\(node.found) is no one's address") }
        if address.isMulticast { return refuse("\(node.found) is a multicast address; a target is one host") }
        if address == IPAddress(v4: .max) { return refuse("\(node.found) is the broadcast address") }
        guard let zone else {
            if address.isIPv6, address.isLinkLocal {
                return refuse("\(node.found) is link-local and needs its interface: \(address)%eth0")
            }
            return .ip(address, zone: nil)
        }
        guard address.isIPv6, address.isLinkLocal else {
            return refuse("\(node.found) is not link-local, so it cannot name an interface after %")
        }
        let name = YAMLNode(
            content: .scalar(.init(text: zone, shown: zone, isPlain: false)), place: node.place)
        return values.interfaceName(name).map { .ip(address, zone: $0) }
    }

    /// What else people write where an address belongs.
    private func slip(in text: String, shown: String) -> String? {
        if text.contains("://") {
            return "\(shown) is a URL; write its host alone, and its port under \"probes\" as \"- tcp: 443\""
        }
        if text.hasPrefix("["), let close = text.firstIndex(of: "]") {
            return
                "\(shown) has brackets — did you mean \(Quantity.quoted(text[text.index(after: text.startIndex)..<close]))?"
        }
        if text.contains("/") { return "\(shown) is a prefix or a path; a target is one host" }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        if parts.count == 2, let port = UInt16(parts[1]), !parts[0].isEmpty {
            return "\(shown) holds a port; write the host alone, and \"- tcp: \(port)\" under \"probes\""
        }
        if text.contains("*") { return "\(shown) is a pattern; a target is one host" }
        return nil
    }

    /// A host name in lower case without its final dot: labels of 1 to 63 letters, digits, `-` and `_` (RFC 1123 and
    /// the underscores of RFC 8552), 253 bytes in all; with `wildcard`, the first label may be `*`.
    func hostName(_ text: String, node: YAMLNode, wildcard: Bool) -> String? {
        func refuse(_ reason: String) -> String? {
            report.error(node.place, "\(node.found) is not a host name: \(reason)")
            return nil
        }
        var name = text.lowercased()
        if name.hasSuffix(".") { name.removeLast() }
        guard name.utf8.allSatisfy({ $0 < 0x80 }) else {
            return refuse("write names beyond ASCII in their xn-- form")
        }
        guard !name.isEmpty else { return refuse("it is empty") }
        guard name.utf8.count <= 253 else { return refuse("it is longer than 253 bytes") }
        var labels = name.split(separator: ".", omittingEmptySubsequences: false)
        let isNumeric = labels.allSatisfy { label in !label.isEmpty && label.utf8.allSatisfy { (48...57).contains($0) }
        }
        if isNumeric { return refuse("it is not an IPv4 address either") }
        if name.contains(":") { return refuse("it is not an IPv6 address either") }
        if wildcard, labels.count > 1, labels.first == "*" { labels.removeFirst() }
        for label in labels {
            guard (1...63).contains(label.utf8.count) else { return refuse("a label has 1 to 63 characters") }
            let allowed = label.utf8.allSatisfy {
                (48...57).contains($0) || (97...122).contains($0) || $0 == 45 || $0 == 95
            }
            guard allowed else { return refuse("a label has letters, digits and hyphens only") }
            guard label.first != "-", label.last != "-" else {
                return refuse("a label neither begins nor ends with a hyphen")
            }
        }
        return name
    }
}
