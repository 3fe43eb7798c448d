// A TUN device: the end of the emulated wide area in a namespace.

import CLinux
import Glibc
import LinuxSystem

/// A TUN device in a namespace, whose packets this process reads and writes.
final class TunnelDevice: Sendable {
    let descriptor: OwnedDescriptor

    /// Makes the device `name` in `namespace`, up, with `addresses` (`address/length`) and no route.
    init(_ name: String, in namespace: Namespace, addresses: [String], mtu: Int) throws {
        let number = try namespace.perform { () throws -> Int32 in
            let file = OwnedDescriptor(owning: open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK))
            guard file.rawValue >= 0 else { throw SystemError(call: "open", errno: errno, context: "/dev/net/tun") }
            // struct ifreq: 16 bytes of name, then the flags. A TUN device, without the four bytes before each packet.
            var request = [UInt8](repeating: 0, count: 40)
            for (index, byte) in name.utf8.prefix(15).enumerated() { request[index] = byte }
            withUnsafeBytes(of: UInt16(IFF_TUN | IFF_NO_PI)) { flags in
                request[16] = flags[0]
                request[17] = flags[1]
            }
            // TUNSETIFF, whose macro Swift cannot read: _IOW('T', 202, int).
            let result = request.withUnsafeMutableBytes { taut_ioctl(file.rawValue, 0x4004_54CA, $0.baseAddress) }
            guard result == 0 else { throw SystemError(call: "ioctl", errno: errno, context: "TUNSETIFF \(name)") }
            return file.release()
        }
        descriptor = OwnedDescriptor(owning: number)
        for address in addresses {
            let noDetection = address.contains(":") ? ["nodad"] : []
            try namespace.run(["ip", "address", "add", address, "dev", name] + noDetection)
        }
        try namespace.run(["ip", "link", "set", name, "mtu", "\(mtu)", "txqueuelen", "4000", "up"])
    }

    /// One packet, or nil where there is none now.
    func read(into buffer: inout [UInt8]) -> Int? {
        let number = descriptor.rawValue
        let result = buffer.withUnsafeMutableBytes { raw in
            let base = raw.baseAddress
            let room = raw.count
            return Syscall.attempt { CLinux.read(number, base, room) }
        }
        if case .value(let count) = result, count > 0 { return count }
        return nil
    }

    /// Whether the device took the packet.
    func write(_ packet: [UInt8]) -> Bool {
        let number = descriptor.rawValue
        let result = packet.withUnsafeBytes { raw in
            let base = raw.baseAddress
            let count = raw.count
            return Syscall.attempt { CLinux.write(number, base, count) }
        }
        if case .value = result { return true }
        return false
    }
}
