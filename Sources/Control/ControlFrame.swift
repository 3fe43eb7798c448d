// How values travel on the control socket: one JSON object, one newline.

internal import Foundation

/// The framing of the control socket, and its bounds.
public enum ControlFrame {
    /// Bytes of a request with its newline.
    public static let maximumRequest = 1 << 20
    /// Bytes of a reply with its newline: a status of 5,000 targets is some 8 MiB.
    public static let maximumReply = 32 << 20

    static let newline = UInt8(ascii: "\n")

    /// The bytes of `value` with the newline that ends it; nil where it cannot be written as JSON (a NaN).
    static func encode(_ value: some Encodable) -> [UInt8]? {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // JSON text holds no newline of its own: control characters in strings are escaped.
        guard let data = try? encoder.encode(value) else { return nil }
        return [UInt8](data) + [newline]
    }

    static func decode<Value: Decodable>(_ type: Value.Type, from line: some Collection<UInt8>) throws -> Value {
        try JSONDecoder().decode(type, from: Data(line))
    }
}
