// Memory of the capture thread: allocated once, zeroed, never grown.

internal import CLinux
internal import Glibc

/// A fixed number of plain values in one cache-line aligned block of memory.
///
/// All bytes are zero at the start, so an element's all-zero pattern must be a value of it; pages are taken by the
/// kernel when they are first written. Every access is checked against the count.
@safe
struct FixedTable<Element: BitwiseCopyable>: ~Copyable {
    private let memory: UnsafeMutableRawPointer
    private let base: UnsafeMutablePointer<Element>
    let count: Int

    /// Stops the process where the kernel has no memory; called at the start of a capture only.
    init(zeroed count: Int, usesHugePages: Bool = true) {
        let used = max(count, 1) * MemoryLayout<Element>.stride
        // Look-ups go anywhere in a table, so most of them would miss the TLB. Whole huge pages only, and one for a table
        // that fills half of it: what else does not fill one keeps small pages.
        let huge =
            usesHugePages && used >= FixedTable.hugePage / 2
            ? max(used / FixedTable.hugePage, 1) * FixedTable.hugePage : 0
        let line = huge > 0 ? FixedTable.hugePage : 64
        let size = max(used, huge) + line
        guard let memory = unsafe calloc(1, size) else { fatalError("no memory for \(size) bytes of capture tables") }
        unsafe self.memory = memory
        // The block is a line longer than needed, so rounding up stays inside it.
        let aligned = unsafe memory.alignedUp(toMultipleOf: line)
        unsafe base = aligned.bindMemory(to: Element.self, capacity: max(count, 1))
        self.count = count
        // A refusal of the kernel costs nothing but time.
        if huge > 0 { _ = unsafe madvise(aligned, huge, MADV_HUGEPAGE) }
    }

    deinit { unsafe free(memory) }

    /// The element's address, for copies of many elements; the caller proves how many.
    @unsafe @inline(__always)
    func address(_ index: Int) -> UnsafeMutablePointer<Element> {
        precondition(UInt(bitPattern: index) < UInt(bitPattern: count))
        return unsafe base + index
    }

    /// Makes an element all zero, as it was at the start.
    @inline(__always)
    mutating func clear(_ index: Int) {
        precondition(UInt(bitPattern: index) < UInt(bitPattern: count))
        unsafe memset(UnsafeMutableRawPointer(base + index), 0, MemoryLayout<Element>.size)
    }

    private static var hugePage: Int { 2 << 20 }

    /// A hint that the element's first line is needed soon; an index outside is passed over.
    @inline(__always)
    func prefetch(_ index: Int) { prefetchLines(index, count: 1) }

    /// The same for the first lines of the element, of 64 bytes each.
    @inline(__always)
    func prefetchLines(_ index: Int, count lines: Int) {
        guard UInt(bitPattern: index) < UInt(bitPattern: count) else { return }
        let start = unsafe UnsafeRawPointer(base + index)
        for line in 0..<lines { unsafe taut_prefetch(start + line &* 64) }
    }

    @inline(__always)
    subscript(index: Int) -> Element {
        unsafeAddress {
            precondition(UInt(bitPattern: index) < UInt(bitPattern: count))
            return unsafe UnsafePointer(base + index)
        }
        unsafeMutableAddress {
            precondition(UInt(bitPattern: index) < UInt(bitPattern: count))
            return unsafe base + index
        }
    }
}

extension FixedTable where Element == UInt8 {
    /// The number whose first byte is that at `offset`, in the machine's order.
    @inline(__always)
    func load<Number: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, as type: Number.Type) -> Number {
        precondition(offset >= 0 && offset <= count &- MemoryLayout<Number>.size)
        return unsafe UnsafeRawPointer(base + offset).loadUnaligned(as: type)
    }

    @inline(__always)
    mutating func store<Number: FixedWidthInteger & BitwiseCopyable>(_ number: Number, _ offset: Int) {
        precondition(offset >= 0 && offset <= count &- MemoryLayout<Number>.size)
        unsafe UnsafeMutableRawPointer(base + offset).storeBytes(of: number, as: Number.self)
    }

    /// Calls `body` with `count` bytes from `start` on.
    func read<Result>(_ start: Int, count: Int, _ body: (RawSpan) -> Result) -> Result {
        precondition(start >= 0 && count >= 0 && count <= self.count &- start)
        return unsafe body(RawSpan(_unsafeStart: UnsafeRawPointer(base + start), byteCount: count))
    }
}

// One thread owns a table and everything in it; it is handed to that thread before it starts.
extension FixedTable: @unchecked Sendable {}
