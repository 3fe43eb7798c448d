// A YAML document as the decoder wants it: every value with its place, every mapping with plain text keys.

/// A value in a configuration file.
struct YAMLNode {
    enum Content {
        case scalar(Scalar)
        case sequence([YAMLNode])
        case mapping([Entry])
    }

    struct Scalar {
        /// The value, with `${…}` put in.
        var text: String
        /// What a diagnostic may show of it: the text in the file, so that no secret is ever printed.
        var shown: String
        /// Written without quotes, so that `~` and nothing at all mean "no value".
        var isPlain: Bool
        /// What was to be put in is missing, and that is already told.
        var isBroken = false
    }

    struct Entry {
        var key: String
        var keyPlace: Place
        var value: YAMLNode
    }

    var content: Content
    var place: Place

    /// Nothing, `~` or `null`.
    var isNull: Bool {
        guard case .scalar(let scalar) = content, scalar.isPlain else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(scalar.shown)
    }

    var isMap: Bool {
        if case .mapping = content { true } else { false }
    }

    /// How a sentence names what was found: `a list`, `a map`, `"text"`.
    var found: String {
        switch content {
        case .sequence: "a list"
        case .mapping: "a map"
        case .scalar(let scalar): isNull ? "nothing" : Quantity.quoted(scalar.shown)
        }
    }
}
