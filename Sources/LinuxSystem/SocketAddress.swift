// Internet socket addresses as values.

internal import CLinux
internal import Glibc
public import Wire

/// An address, a port, and for link-local IPv6 the interface.
public struct SocketAddress: Hashable, Sendable {
    public var address: IPAddress
    /// 0 where the protocol has none.
    public var port: UInt16
    /// The interface index that a link-local IPv6 address belongs to, 0 otherwise.
    public var scope: UInt32

    public init(_ address: IPAddress, port: UInt16 = 0, scope: UInt32 = 0) {
        self.address = address
        self.port = port
        self.scope = scope
    }

    /// AF_INET or AF_INET6.
    public var family: Int32 { address.isIPv6 ? AF_INET6 : AF_INET }

    /// The index of the interface called `name`; nil where there is none now.
    public static func interfaceIndex(_ name: String) -> Int32? {
        let index = unsafe if_nametoindex(name)
        return index == 0 ? nil : Int32(exactly: index)
    }

    /// Bytes of the larger of the two C forms.
    static let storageSize = MemoryLayout<sockaddr_in6>.size

    /// Writes the C form to `storage`, which has `storageSize` bytes, and returns the length of it.
    @unsafe
    func write(to storage: UnsafeMutableRawPointer) -> Int {
        if address.isIPv6 {
            var form = sockaddr_in6()
            form.sin6_family = sa_family_t(AF_INET6)
            form.sin6_port = port.bigEndian
            form.sin6_scope_id = scope
            unsafe withUnsafeMutableBytes(of: &form.sin6_addr) { bytes in
                unsafe bytes.storeBytes(of: address.high.bigEndian, as: UInt64.self)
                unsafe bytes.storeBytes(of: address.low.bigEndian, toByteOffset: 8, as: UInt64.self)
            }
            unsafe storage.storeBytes(of: form, as: sockaddr_in6.self)
            return MemoryLayout<sockaddr_in6>.size
        }
        var form = sockaddr_in()
        form.sin_family = sa_family_t(AF_INET)
        form.sin_port = port.bigEndian
        form.sin_addr.s_addr = address.v4Bits.bigEndian
        unsafe storage.storeBytes(of: form, as: sockaddr_in.self)
        return MemoryLayout<sockaddr_in>.size
    }

    /// Reads the C form of `length` bytes; nil for other families. IPv4-mapped addresses become IPv4.
    @unsafe
    init?(reading storage: UnsafeRawPointer, length: Int) {
        guard length >= MemoryLayout<sa_family_t>.size else { return nil }
        switch Int32(unsafe storage.loadUnaligned(as: sa_family_t.self)) {
        case AF_INET where length >= MemoryLayout<sockaddr_in>.size:
            let form = unsafe storage.loadUnaligned(as: sockaddr_in.self)
            self.init(IPAddress(v4: UInt32(bigEndian: form.sin_addr.s_addr)), port: UInt16(bigEndian: form.sin_port))
        case AF_INET6 where length >= MemoryLayout<sockaddr_in6>.size:
            let form = unsafe storage.loadUnaligned(as: sockaddr_in6.self)
            let high = unsafe storage.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
            let low = unsafe storage.loadUnaligned(fromByteOffset: 16, as: UInt64.self)
            self.init(
                IPAddress(v6High: UInt64(bigEndian: high), low: UInt64(bigEndian: low)),
                port: UInt16(bigEndian: form.sin6_port), scope: form.sin6_scope_id)
        default: return nil
        }
    }

    /// Calls `body` with the C form.
    func withSockaddr<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        unsafe withUnsafeTemporaryAllocation(byteCount: Self.storageSize, alignment: 8) { storage in
            guard let base = storage.baseAddress else { fatalError("an allocation of fixed size has an address") }
            let length = unsafe write(to: base)
            return unsafe body(UnsafePointer(base.assumingMemoryBound(to: sockaddr.self)), socklen_t(length))
        }
    }
}

extension SocketAddress: CustomStringConvertible {
    public var description: String {
        let host = scope == 0 ? "\(address)" : "\(address)%\(scope)"
        if port == 0 { return host }
        return address.isIPv6 ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}
