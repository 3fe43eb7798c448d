// What goes to a hook: JSON on its standard input and a few variables. And what lies in the spool, the same JSON.

internal import Foundation
internal import Model

/// The JSON of a notice, schema `tautline/hook/1`. Keys are relied on by others' programs: add, never rename.
struct HookMessage: Codable, Sendable {
    static let schema = "tautline/hook/1"
    /// Longest single text, bytes.
    static let maximumText = 128 << 10

    var notice: HookNotice
    var attempt: Int
    /// Place in the spool; not part of what a hook gets.
    var sequence: UInt64 = 0

    init(_ notice: HookNotice, attempt: Int = 1) {
        self.notice = notice
        self.attempt = attempt
    }

    enum CodingKeys: String, CodingKey {
        case schema, notice, event, attempt, hook, site, incident, opened, closed, rule, target, title, state, severity
        case reason, layer, since, until, evidence, suppressed, created
    }

    func encode(to encoder: any Encoder) throws {
        var box = encoder.container(keyedBy: CodingKeys.self)
        try box.encode(Self.schema, forKey: .schema)
        try box.encode(notice.id, forKey: .notice)
        try box.encode(notice.event.rawValue, forKey: .event)
        try box.encode(attempt, forKey: .attempt)
        try box.encode(notice.hook, forKey: .hook)
        try box.encode(notice.site, forKey: .site)
        try box.encode(notice.incident, forKey: .incident)
        try box.encode(notice.opened, forKey: .opened)
        try box.encode(notice.closed, forKey: .closed)
        try box.encode(notice.rule, forKey: .rule)
        try box.encode(notice.target?.rawValue, forKey: .target)
        try box.encode(notice.title, forKey: .title)
        try box.encode(notice.state?.rawValue, forKey: .state)
        try box.encode(notice.severity.rawValue, forKey: .severity)
        try box.encode(notice.reason, forKey: .reason)
        try box.encode(notice.layer?.rawValue, forKey: .layer)
        try box.encode(notice.since.rfc3339, forKey: .since)
        try box.encode(notice.until?.rfc3339, forKey: .until)
        try box.encode(notice.evidence, forKey: .evidence)
        try box.encode(notice.suppressed, forKey: .suppressed)
        try box.encode(notice.created.rfc3339, forKey: .created)
    }

    init(from decoder: any Decoder) throws {
        let box = try decoder.container(keyedBy: CodingKeys.self)
        func time(_ key: CodingKeys) throws -> WallTime {
            let text = try box.decode(String.self, forKey: key)
            guard let time = WallTime(rfc3339: text) else {
                throw DecodingError.dataCorruptedError(forKey: key, in: box, debugDescription: "not a time: \(text)")
            }
            return time
        }
        func choice<Value: RawRepresentable>(_ key: CodingKeys) throws -> Value where Value.RawValue == String {
            let text = try box.decode(String.self, forKey: key)
            guard let value = Value(rawValue: text) else {
                throw DecodingError.dataCorruptedError(forKey: key, in: box, debugDescription: "unknown: \(text)")
            }
            return value
        }
        attempt = try box.decode(Int.self, forKey: .attempt)
        notice = HookNotice(
            id: try box.decode(String.self, forKey: .notice), hook: try box.decode(String.self, forKey: .hook),
            event: try choice(.event), opened: try box.decode([Int64].self, forKey: .opened),
            closed: try box.decode([Int64].self, forKey: .closed), rule: try box.decode(String.self, forKey: .rule),
            target: try box.decodeIfPresent(String.self, forKey: .target).flatMap(TargetID.init(rawValue:)),
            title: try box.decode(String.self, forKey: .title),
            state: try box.decodeIfPresent(String.self, forKey: .state).flatMap(TargetState.init(rawValue:)),
            severity: try choice(.severity), reason: try box.decode(String.self, forKey: .reason),
            site: try box.decode(String.self, forKey: .site), since: try time(.since),
            until: try box.decodeIfPresent(String.self, forKey: .until).flatMap { WallTime(rfc3339: $0) },
            layer: try box.decodeIfPresent(String.self, forKey: .layer).flatMap(FaultLayer.init(rawValue:)),
            evidence: try box.decode([String].self, forKey: .evidence),
            suppressed: try box.decode(Int.self, forKey: .suppressed), created: try time(.created))
    }

    /// One line of JSON with a line feed at its end; keys sorted.
    func json() -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Strings and integers always encode.
        guard let data = try? encoder.encode(self) else { return Array("{}\n".utf8) }
        return Array(data) + [UInt8(ascii: "\n")]
    }

    init(json: [UInt8]) throws {
        self = try JSONDecoder().decode(HookMessage.self, from: Data(json))
    }

    /// The environment of a hook, built from nothing: PATH, LANG, HOME, what the config adds, and `TAUTLINE_*`.
    func environment(_ hook: HookSpec) -> [String: String] {
        var result = [
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            "HOME": "/",
        ]
        for (key, value) in hook.environment where !key.isEmpty && !key.utf8.contains(where: { $0 == 0x3D || $0 == 0 })
        {
            result[key] = String(value.prefix { $0 != "\0" })
        }
        let own: [String: String] = [
            "SCHEMA": Self.schema, "NOTICE": notice.id, "EVENT": notice.event.rawValue, "ATTEMPT": String(attempt),
            "HOOK": notice.hook, "INCIDENT": notice.incident.map { String($0) } ?? "", "RULE": notice.rule,
            "TARGET": notice.target?.rawValue ?? "", "TITLE": notice.title, "STATE": notice.state?.rawValue ?? "",
            "SEVERITY": notice.severity.rawValue, "REASON": notice.reason, "SITE": notice.site,
            "SINCE": notice.since.rfc3339, "UNTIL": notice.until?.rfc3339 ?? "", "LAYER": notice.layer?.rawValue ?? "",
        ]
        for (key, value) in own { result["TAUTLINE_" + key] = Self.harmless(value) }
        return result
    }

    /// Without control characters (C0, DEL, C1), cut at 1,024 bytes between characters.
    static func harmless(_ text: String) -> String {
        var result = ""
        var length = 0
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0..<0x20, 0x7F..<0xA0: continue
            default: break
            }
            length += scalar.utf8.count
            if length > 1_024 { break }
            result.unicodeScalars.append(scalar)
        }
        return result
    }
}

extension HookNotice {
    /// The notice with every text cut at what a message may hold.
    var bounded: HookNotice {
        func cut(_ text: String, _ limit: Int) -> String {
            guard text.utf8.count > limit else { return text }
            return String(decoding: text.utf8.prefix(limit), as: UTF8.self)
        }
        var notice = self
        notice.title = cut(title, HookMessage.maximumText)
        notice.reason = cut(reason, HookMessage.maximumText)
        notice.site = cut(site, HookMessage.maximumText)
        notice.evidence = evidence.prefix(64).map { cut($0, 4_096) }
        return notice
    }
}
