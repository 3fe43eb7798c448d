// ICMP identifiers: random, and one a series.

/// The 65,536 identifiers of ICMP echoes.
struct IdentifierPool {
    private var users = [UInt16](repeating: 0, count: 65_536)

    /// A random identifier that nobody has; where all are taken, a random one.
    mutating func take() -> UInt16 {
        let start = UInt16.random(in: 0...UInt16.max)
        var candidate = start
        repeat {
            if users[Int(candidate)] == 0 {
                users[Int(candidate)] = 1
                return candidate
            }
            candidate &+= 1
        } while candidate != start
        users[Int(start)] = users[Int(start)].addingReportingOverflow(1).overflow ? .max : users[Int(start)] + 1
        return start
    }

    mutating func release(_ identifier: UInt16) {
        if users[Int(identifier)] > 0 { users[Int(identifier)] -= 1 }
    }
}
