// hosts(5): names that need no resolver.

public import Wire

/// What a hosts file says.
public struct HostsFile: Hashable, Sendable {
    private var table: [String: [IPAddress]] = [:]

    /// Bytes read of a file.
    public static let maximumLength = 4 << 20
    /// Most names kept; further ones are counted in `skipped`.
    public static let maximumNames = 100_000
    /// Most addresses kept for one name.
    public static let maximumAddresses = 16

    /// Names and addresses that did not fit the bounds.
    public private(set) var skipped = 0

    public init() {}

    /// How many names there are.
    public var count: Int { table.count }

    /// The addresses of `name` in the order of the file; empty where the file does not know it.
    ///
    /// Case and one final dot do not matter.
    public func addresses(of name: String) -> [IPAddress] { table[Self.key(name)] ?? [] }

    /// Reads the text of a hosts file. Total: a line whose address cannot be read is skipped.
    public static func parse(_ text: String) -> HostsFile {
        var file = HostsFile()
        for line in text.utf8.split(whereSeparator: { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }) {
            let body = line.prefix { $0 != UInt8(ascii: "#") }
            let words = body.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }.map { Substring($0) }
            // A link-local address with a zone is of no use to us without its interface: skipped like any other.
            guard let first = words.first, let address = IPAddress(first) else { continue }
            for word in words.dropFirst() { file.add(String(word), address) }
        }
        return file
    }

    /// Reads the host's file. Throws where it cannot be read.
    public static func system(path: String = "/etc/hosts") throws(SystemError) -> HostsFile {
        parse(try FileContents.text(path: path, limit: maximumLength))
    }

    private mutating func add(_ name: String, _ address: IPAddress) {
        let key = Self.key(name)
        guard !key.isEmpty, key.utf8.count <= 255 else { return }
        var known = table[key] ?? []
        guard !known.contains(address) else { return }
        guard known.count < Self.maximumAddresses, !known.isEmpty || table.count < Self.maximumNames else {
            skipped += 1
            return
        }
        known.append(address)
        table[key] = known
    }

    private static func key(_ name: String) -> String {
        let lowered = name.lowercased()
        return lowered.hasSuffix(".") ? String(lowered.dropLast()) : lowered
    }
}
