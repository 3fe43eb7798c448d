// resolv.conf(5): which servers the host asks, and how.

public import Wire

/// What a resolv.conf says.
public struct ResolverFile: Hashable, Sendable {
    /// A server to ask.
    public struct Server: Hashable, Sendable {
        public let address: IPAddress
        /// Interface name or index behind the `%` of a link-local address.
        public let zone: String?

        public init(address: IPAddress, zone: String? = nil) {
            self.address = address
            self.zone = zone
        }
    }

    /// In the order of the file, each once, at most `maximumServers`. Empty where the file names none; the C library
    /// then asks 127.0.0.1.
    public var nameservers: [Server] = []
    /// Domains that short names are tried in, lower case without the final dot; at most `maximumSearch`.
    public var search: [String] = []
    /// Names with fewer dots are tried in the search list first; 0...15.
    public var ndots = 1
    /// Seconds until the next server is asked; 1...30.
    public var timeout = 5
    /// Rounds over the servers; 1...5.
    public var attempts = 2

    /// The C library takes three; more do no harm as targets.
    public static let maximumServers = 8
    public static let maximumSearch = 32
    /// Bytes read of a file.
    public static let maximumLength = 65_536

    public init() {}

    /// The addresses of `nameservers`, without their zones.
    public var servers: [IPAddress] { nameservers.map(\.address) }

    /// Reads the text of a resolv.conf. Total: what is not understood is skipped, as the C library does.
    public static func parse(_ text: String) -> ResolverFile {
        var file = ResolverFile()
        for line in text.utf8.split(whereSeparator: { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }) {
            // A comment mark counts in the first column only, by the manual; behind a keyword it is common too.
            let body = line.prefix { $0 != UInt8(ascii: "#") && $0 != UInt8(ascii: ";") }
            let words = body.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }.map { String(Substring($0)) }
            guard let keyword = words.first else { continue }
            file.take(keyword, Array(words.dropFirst()))
        }
        return file
    }

    /// Reads the host's file. Throws where it cannot be read.
    public static func system(path: String = "/etc/resolv.conf") throws(SystemError) -> ResolverFile {
        parse(try FileContents.text(path: path, limit: maximumLength))
    }

    private mutating func take(_ keyword: String, _ values: [String]) {
        switch keyword {
        case "nameserver":
            guard let text = values.first, let server = Self.server(text), !nameservers.contains(server),
                nameservers.count < Self.maximumServers
            else { return }
            nameservers.append(server)
        case "domain": search = Self.domains(Array(values.prefix(1)))
        case "search": search = Self.domains(values)
        case "options": for option in values { take(option: option) }
        default: break
        }
    }

    private mutating func take(option: String) {
        let parts = option.split(separator: ":", maxSplits: 1)
        guard parts.count == 2, let number = Int(parts[1]) else { return }
        switch parts[0] {
        case "ndots": ndots = min(max(number, 0), 15)
        case "timeout": timeout = min(max(number, 1), 30)
        case "attempts": attempts = min(max(number, 1), 5)
        default: break
        }
    }

    private static func server(_ text: String) -> Server? {
        let parts = text.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = IPAddress(parts[0]) else { return nil }
        guard parts.count == 2 else { return Server(address: address) }
        guard !parts[1].isEmpty, parts[1].utf8.count < 16 else { return nil }
        return Server(address: address, zone: String(parts[1]))
    }

    private static func domains(_ values: [String]) -> [String] {
        var result: [String] = []
        for value in values where result.count < maximumSearch {
            var name = value.lowercased()
            if name.hasSuffix(".") { name.removeLast() }
            if !name.isEmpty, name.utf8.count <= 255, !result.contains(name) { result.append(name) }
        }
        return result
    }
}
