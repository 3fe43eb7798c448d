// Addresses of `taut probe` as they are written: literals, names, with a port, with a zone.

internal import Model
internal import Wire

/// An address argument: where to probe, and the port written behind it.
struct ProbeAddress: Hashable, Sendable {
    var address: TargetAddress
    /// From `host:443` or `[2001:db8::1]:443`; nil where none is written.
    var port: UInt16?

    struct Problem: Error, CustomStringConvertible {
        var description: String
    }

    init(_ text: String) throws(Problem) {
        func refuse(_ why: String) -> Problem { Problem(description: "\"\(text)\" is no address: \(why)") }
        var host = text
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { throw refuse("the bracket is not closed") }
            host = String(text[text.index(after: text.startIndex)..<end])
            let rest = text[text.index(after: end)...]
            if !rest.isEmpty {
                guard rest.hasPrefix(":"), let number = UInt16(rest.dropFirst()), number > 0 else {
                    throw refuse("a port is 1 to 65535")
                }
                port = number
            }
        } else if text.filter({ $0 == ":" }).count == 1, let colon = text.firstIndex(of: ":") {
            guard let number = UInt16(text[text.index(after: colon)...]), number > 0 else {
                throw refuse("a port is 1 to 65535")
            }
            host = String(text[..<colon])
            port = number
        }
        let parts = host.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
        if let literal = parts.first.flatMap({ IPAddress($0) }) {
            if parts.count == 2, parts[1].isEmpty { throw refuse("the zone is empty") }
            address = .ip(literal, zone: parts.count == 2 ? String(parts[1]) : nil)
            return
        }
        guard let name = ProbeAddress.name(host) else { throw refuse("neither an IP address nor a DNS name") }
        address = .name(name)
    }

    /// The addresses of a file: one a line, `#` begins a comment.
    static func list(_ text: String) throws(Problem) -> [ProbeAddress] {
        var addresses: [ProbeAddress] = []
        for line in text.split(whereSeparator: { $0.isNewline }) {
            let bare = line.prefix { $0 != "#" }.filter { $0 != " " && $0 != "\t" }
            if !bare.isEmpty { addresses.append(try ProbeAddress(bare)) }
        }
        return addresses
    }

    /// A host name of RFC 1123 (underscores allowed), lower case, without the final dot.
    private static func name(_ text: String) -> String? {
        let name = text.lowercased().hasSuffix(".") ? String(text.lowercased().dropLast()) : text.lowercased()
        let labels = name.split(separator: ".", omittingEmptySubsequences: false)
        guard (1...253).contains(name.utf8.count) else { return nil }
        for label in labels {
            guard (1...63).contains(label.utf8.count), !label.hasPrefix("-"), !label.hasSuffix("-") else { return nil }
            for byte in label.utf8 {
                guard (48...57).contains(byte) || (97...122).contains(byte) || byte == 45 || byte == 95 else {
                    return nil
                }
            }
        }
        // All digits and dots is a mistyped address, not a name.
        return labels.last?.allSatisfy(\.isNumber) == true ? nil : name
    }
}
