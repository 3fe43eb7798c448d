// Encodable values as JSON in the order of their coding keys; Foundation's encoder keeps no order.

extension JSONValue {
    /// The value as its `encode(to:)` describes it, keys in the order of encoding.
    init(encoding value: some Encodable) throws {
        let box = JSONBox()
        try value.encode(to: JSONOrderEncoder(box: box, codingPath: []))
        self = box.value
    }
}

/// One place in the tree under construction.
private final class JSONBox {
    enum Content {
        case scalar(JSONValue)
        case array([JSONBox])
        case object([(key: String, box: JSONBox)])
    }
    var content = Content.scalar(.null)

    var value: JSONValue {
        switch content {
        case .scalar(let value): value
        case .array(let boxes): .array(boxes.map { $0.value })
        case .object(let members): .object(members.map { JSONValue.Member(key: $0.key, value: $0.box.value) })
        }
    }

    func member(_ key: String) -> JSONBox {
        let box = JSONBox()
        guard case .object(var members) = content else { return box }
        content = .scalar(.null)
        members.append((key, box))
        content = .object(members)
        return box
    }

    func element() -> JSONBox {
        let box = JSONBox()
        guard case .array(var boxes) = content else { return box }
        content = .scalar(.null)
        boxes.append(box)
        content = .array(boxes)
        return box
    }

    func store(_ value: some Encodable, codingPath: [any CodingKey]) throws {
        switch value {
        case let value as Bool: content = .scalar(.bool(value))
        case let value as String: content = .scalar(.string(value))
        case let value as Double: content = .scalar(.number(value))
        case let value as UInt64: content = .scalar(.unsigned(value))
        case let value as any FixedWidthInteger:
            content = .scalar(Int64(exactly: value).map { .integer($0) } ?? .number(Double(value)))
        default: try value.encode(to: JSONOrderEncoder(box: self, codingPath: codingPath))
        }
    }
}

private struct JSONOrderEncoder: Encoder {
    let box: JSONBox
    let codingPath: [any CodingKey]
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        box.content = .object([])
        return KeyedEncodingContainer(Keyed<Key>(box: box, codingPath: codingPath))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        box.content = .array([])
        return Unkeyed(box: box, codingPath: codingPath)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { Single(box: box, codingPath: codingPath) }

    struct Keyed<Key: CodingKey>: KeyedEncodingContainerProtocol {
        let box: JSONBox
        let codingPath: [any CodingKey]

        mutating func encodeNil(forKey key: Key) throws { box.member(key.stringValue).content = .scalar(.null) }
        mutating func encode(_ value: some Encodable, forKey key: Key) throws {
            try box.member(key.stringValue).store(value, codingPath: codingPath + [key])
        }
        mutating func nestedContainer<Nested: CodingKey>(
            keyedBy keyType: Nested.Type, forKey key: Key
        ) -> KeyedEncodingContainer<Nested> {
            JSONOrderEncoder(box: box.member(key.stringValue), codingPath: codingPath + [key]).container(
                keyedBy: keyType)
        }
        mutating func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
            JSONOrderEncoder(box: box.member(key.stringValue), codingPath: codingPath + [key]).unkeyedContainer()
        }
        mutating func superEncoder() -> any Encoder {
            JSONOrderEncoder(box: box.member("super"), codingPath: codingPath)
        }
        mutating func superEncoder(forKey key: Key) -> any Encoder {
            JSONOrderEncoder(box: box.member(key.stringValue), codingPath: codingPath + [key])
        }
    }

    struct Unkeyed: UnkeyedEncodingContainer {
        let box: JSONBox
        let codingPath: [any CodingKey]
        var count: Int {
            if case .array(let boxes) = box.content { boxes.count } else { 0 }
        }

        mutating func encodeNil() throws { box.element().content = .scalar(.null) }
        mutating func encode(_ value: some Encodable) throws {
            try box.element().store(value, codingPath: codingPath)
        }
        mutating func nestedContainer<Nested: CodingKey>(
            keyedBy keyType: Nested.Type
        ) -> KeyedEncodingContainer<Nested> {
            JSONOrderEncoder(box: box.element(), codingPath: codingPath).container(keyedBy: keyType)
        }
        mutating func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
            JSONOrderEncoder(box: box.element(), codingPath: codingPath).unkeyedContainer()
        }
        mutating func superEncoder() -> any Encoder { JSONOrderEncoder(box: box.element(), codingPath: codingPath) }
    }

    struct Single: SingleValueEncodingContainer {
        let box: JSONBox
        let codingPath: [any CodingKey]

        mutating func encodeNil() throws { box.content = .scalar(.null) }
        mutating func encode(_ value: some Encodable) throws { try box.store(value, codingPath: codingPath) }
    }
}
