// The one place of `Wire` that reads memory without a check of its own.
//
// Every caller is an accessor of a view whose `init?` compared `offset + size` with the byte count, so the loads
// below cannot leave the span. The views are `@frozen` and everything here is `@inlinable`: measured, a packet costs
// 108 instructions this way and 201 when the calls cross a module unspecialised.

extension RawSpan {
    /// The byte at `offset`. The caller has proved `offset < byteCount`.
    @inlinable @inline(__always)
    public func byte(at offset: Int) -> UInt8 {
        assert(offset >= 0 && offset < byteCount)
        return unsafe unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self)
    }

    /// The 16-bit big-endian number at `offset`. The caller has proved `offset + 2 <= byteCount`.
    @inlinable @inline(__always)
    public func bigEndian16(at offset: Int) -> UInt16 {
        assert(offset >= 0 && offset + 2 <= byteCount)
        return unsafe UInt16(bigEndian: unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt16.self))
    }

    /// The 32-bit big-endian number at `offset`. The caller has proved `offset + 4 <= byteCount`.
    @inlinable @inline(__always)
    public func bigEndian32(at offset: Int) -> UInt32 {
        assert(offset >= 0 && offset + 4 <= byteCount)
        return unsafe UInt32(bigEndian: unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt32.self))
    }

    /// The 64-bit big-endian number at `offset`. The caller has proved `offset + 8 <= byteCount`.
    @inlinable @inline(__always)
    public func bigEndian64(at offset: Int) -> UInt64 {
        assert(offset >= 0 && offset + 8 <= byteCount)
        return unsafe UInt64(bigEndian: unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self))
    }

    /// The bytes from `offset` on, none where `offset` lies beyond the end.
    @inlinable @inline(__always)
    @_lifetime(copy self)
    public func suffix(from offset: Int) -> RawSpan {
        extracting(min(max(offset, 0), byteCount)..<byteCount)
    }

    /// At most `count` bytes from the start.
    @inlinable @inline(__always)
    @_lifetime(copy self)
    public func prefix(_ count: Int) -> RawSpan {
        extracting(0..<min(max(count, 0), byteCount))
    }
}
