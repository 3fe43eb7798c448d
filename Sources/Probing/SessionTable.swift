// Sockets of the event loop by token, safe against events that come for a socket already closed.

/// Values by token; a token is never used twice.
struct SessionTable<Value> {
    private var values: [UInt64: Value] = [:]
    private var next: UInt64
    private let step: UInt64

    /// Tokens count from `first` in steps of `step`, so that two tables with the same step never share one.
    init(first: UInt64, step: UInt64) {
        next = first
        self.step = step
    }

    var count: Int { values.count }

    /// A token for a value to come.
    mutating func makeToken() -> UInt64 {
        defer { next &+= step }
        return next
    }

    subscript(token: UInt64) -> Value? {
        get { values[token] }
        set { values[token] = newValue }
    }

    /// Takes the value out.
    mutating func remove(_ token: UInt64) -> Value? { values.removeValue(forKey: token) }

    var all: [Value] { Array(values.values) }
}
