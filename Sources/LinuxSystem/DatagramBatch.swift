// Many datagrams a system call: sendmmsg(2), recvmmsg(2), in memory that is allocated once.

internal import CLinux
internal import Glibc
internal import Wire

/// One received datagram, read in place until the next `receive`.
public struct ReceivedDatagram: ~Escapable {
    /// The bytes, cut at the batch's size.
    public let bytes: RawSpan
    public let source: SocketAddress?
    /// The kernel's receive stamp (from the error queue: transmit stamp), CLOCK_REALTIME in nanoseconds.
    public let stamp: Int64?
    /// From the error queue only.
    public let error: ExtendedSocketError?

    @_lifetime(copy bytes)
    init(_ bytes: RawSpan, source: SocketAddress?, control: ReceivedControl) {
        self.bytes = bytes
        self.source = source
        stamp = control.stamp
        error = control.error
    }
}

/// Memory for receiving many datagrams at once; belongs to one thread.
@safe
public final class ReceiveBatch {
    private let capacity: Int
    private let size: Int
    private let headers: UnsafeMutablePointer<mmsghdr>
    private let vectors: UnsafeMutablePointer<iovec>
    private let names: UnsafeMutableRawPointer
    private let control: UnsafeMutableRawPointer
    private let data: UnsafeMutableRawPointer
    /// The datagrams of the last `receive`.
    public private(set) var count = 0

    private static let nameSize = 32
    private static let controlSize = 256

    /// Takes at most `capacity` datagrams a call, of each the first `size` bytes.
    public init(capacity: Int, size: Int) {
        self.capacity = max(capacity, 1)
        self.size = max(size, 1)
        unsafe headers = .allocate(capacity: self.capacity)
        unsafe vectors = .allocate(capacity: self.capacity)
        unsafe names = .allocate(byteCount: self.capacity * Self.nameSize, alignment: 8)
        unsafe control = .allocate(byteCount: self.capacity * Self.controlSize, alignment: 8)
        unsafe data = .allocate(byteCount: self.capacity * self.size, alignment: 8)
        for index in 0..<self.capacity {
            unsafe vectors[index] = iovec(iov_base: data + index * self.size, iov_len: self.size)
        }
    }

    deinit {
        unsafe headers.deallocate()
        unsafe vectors.deallocate()
        unsafe names.deallocate()
        unsafe control.deallocate()
        unsafe data.deallocate()
    }

    /// Receives what is there, from the error queue where `fromErrorQueue`; never blocks.
    public func receive(_ descriptor: Int32, fromErrorQueue: Bool = false) -> Syscall.Attempt<Int32> {
        for index in 0..<capacity {
            var header = unsafe msghdr()
            unsafe header.msg_name = names + index * Self.nameSize
            unsafe header.msg_namelen = socklen_t(Self.nameSize)
            unsafe header.msg_iov = vectors + index
            unsafe header.msg_iovlen = 1
            unsafe header.msg_control = control + index * Self.controlSize
            unsafe header.msg_controllen = Self.controlSize
            unsafe headers[index] = mmsghdr(msg_hdr: header, msg_len: 0)
        }
        let flags = Int32(MSG_DONTWAIT) | (fromErrorQueue ? Int32(MSG_ERRQUEUE) : 0)
        let attempt = Syscall.attempt {
            unsafe recvmmsg(descriptor, headers, UInt32(capacity), flags, nil)
        }
        if case .value(let received) = attempt { count = Int(received) } else { count = 0 }
        return attempt
    }

    /// The datagram at `index`, which is below `count`.
    public subscript(index: Int) -> ReceivedDatagram {
        @_lifetime(borrow self) get {
            precondition(index >= 0 && index < count)
            let header = unsafe headers[index]
            let length = min(Int(unsafe header.msg_len), size)
            let source = unsafe SocketAddress(
                reading: names + index * Self.nameSize, length: Int(header.msg_hdr.msg_namelen))
            let control = unsafe ReceivedControl(
                UnsafeRawBufferPointer(
                    start: control + index * Self.controlSize,
                    count: min(Int(header.msg_hdr.msg_controllen), Self.controlSize)))
            let bytes = unsafe RawSpan(_unsafeStart: UnsafeRawPointer(data + index * size), byteCount: length)
            return unsafe ReceivedDatagram(_overrideLifetime(bytes, borrowing: self), source: source, control: control)
        }
    }
}

/// Datagrams collected for one sendmmsg; belongs to one thread.
@safe
public final class SendBatch {
    private let capacity: Int
    private let arenaSize: Int
    private let headers: UnsafeMutablePointer<mmsghdr>
    private let vectors: UnsafeMutablePointer<iovec>
    private let names: UnsafeMutableRawPointer
    private let control: UnsafeMutableRawPointer
    private let arena: UnsafeMutableRawPointer
    private var used = 0
    /// Datagrams collected.
    public private(set) var count = 0

    private static let nameSize = 32

    /// Holds at most `capacity` datagrams of together `bytes` bytes.
    public init(capacity: Int, bytes: Int) {
        self.capacity = max(capacity, 1)
        arenaSize = max(bytes, 1)
        unsafe headers = .allocate(capacity: self.capacity)
        unsafe vectors = .allocate(capacity: self.capacity)
        unsafe names = .allocate(byteCount: self.capacity * Self.nameSize, alignment: 8)
        unsafe control = .allocate(byteCount: self.capacity * SendOptions.controlSize, alignment: 8)
        unsafe arena = .allocate(byteCount: arenaSize, alignment: 8)
    }

    deinit {
        unsafe headers.deallocate()
        unsafe vectors.deallocate()
        unsafe names.deallocate()
        unsafe control.deallocate()
        unsafe arena.deallocate()
    }

    /// Adds a datagram; false where it does not fit beside those already there.
    public func append(_ bytes: [UInt8], to destination: SocketAddress, options: SendOptions) -> Bool {
        guard count < capacity, bytes.count <= arenaSize - used else { return false }
        let start = unsafe arena + used
        unsafe bytes.withUnsafeBytes { raw in
            if let base = raw.baseAddress { unsafe start.copyMemory(from: base, byteCount: raw.count) }
        }
        used += bytes.count
        unsafe vectors[count] = iovec(iov_base: start, iov_len: bytes.count)
        let name = unsafe names + count * Self.nameSize
        let ancillary = unsafe control + count * SendOptions.controlSize
        var header = unsafe msghdr()
        unsafe header.msg_name = name
        unsafe header.msg_namelen = socklen_t(destination.write(to: name))
        unsafe header.msg_iov = vectors + count
        unsafe header.msg_iovlen = 1
        let length = unsafe options.write(isIPv6: destination.address.isIPv6, to: ancillary)
        unsafe header.msg_control = length > 0 ? ancillary : nil
        unsafe header.msg_controllen = length
        unsafe headers[count] = mmsghdr(msg_hdr: header, msg_len: 0)
        count += 1
        return true
    }

    /// Sends the datagrams from `start` on and returns how many of them the kernel took; an error is that of the first.
    public func send(_ descriptor: Int32, from start: Int) -> Syscall.Attempt<Int32> {
        precondition(start >= 0 && start <= count)
        return Syscall.attempt {
            unsafe sendmmsg(descriptor, headers + start, UInt32(count - start), Int32(MSG_DONTWAIT))
        }
    }

    public func removeAll() {
        count = 0
        used = 0
    }
}
