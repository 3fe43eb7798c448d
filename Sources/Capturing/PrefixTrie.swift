// Longest-prefix match of addresses: a binary trie with one node a bit.

internal import Wire

/// Maps address prefixes to small numbers. A lookup takes at most 32 or 128 steps and allocates nothing.
///
/// Where a prefix is inserted twice, the first wins.
struct PrefixTrie: Sendable {
    /// Index of the child for bit 0 and bit 1 (0: none) and the value (-1: none).
    private struct Node: Sendable {
        var zero: Int32 = 0
        var one: Int32 = 0
        var value: Int32 = -1
    }

    /// Two roots: 0 for IPv4, 1 for IPv6.
    private var nodes = [Node(), Node()]

    var isEmpty: Bool { nodes.count == 2 && nodes[0].value < 0 && nodes[1].value < 0 }

    mutating func insert(_ prefix: IPPrefix, value: Int) {
        var index = prefix.address.isIPv6 ? 1 : 0
        for bit in 0..<prefix.length {
            let isOne = PrefixTrie.bit(bit, of: prefix.address)
            let next = isOne ? nodes[index].one : nodes[index].zero
            if next != 0 {
                index = Int(next)
                continue
            }
            nodes.append(Node())
            if isOne {
                nodes[index].one = Int32(nodes.count - 1)
            } else {
                nodes[index].zero = Int32(nodes.count - 1)
            }
            index = nodes.count - 1
        }
        if nodes[index].value < 0 { nodes[index].value = Int32(truncatingIfNeeded: value) }
    }

    /// The value of the longest prefix that holds the address and is accepted.
    func match(_ address: IPAddress, where isAccepted: (Int) -> Bool = { _ in true }) -> Int? {
        var index = address.isIPv6 ? 1 : 0
        var best: Int?
        var bit = 0
        while true {
            let node = nodes[index]
            if node.value >= 0, isAccepted(Int(node.value)) { best = Int(node.value) }
            guard bit < address.bitCount else { return best }
            let next = PrefixTrie.bit(bit, of: address) ? node.one : node.zero
            if next == 0 { return best }
            index = Int(next)
            bit += 1
        }
    }

    @inline(__always)
    private static func bit(_ index: Int, of address: IPAddress) -> Bool {
        if !address.isIPv6 { return address.low >> UInt64(31 &- index) & 1 != 0 }
        return index < 64
            ? address.high >> UInt64(63 &- index) & 1 != 0 : address.low >> UInt64(127 &- index) & 1 != 0
    }
}
