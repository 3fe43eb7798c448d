// What an ICMP error says about a probe: RFC 792, RFC 1122, RFC 1812, RFC 4443.

internal import Model
internal import Wire

extension IPAddress {
    static let unspecified4 = IPAddress(v4: 0)
    static let unspecified6 = IPAddress(v6High: 0, low: 0)
}

/// Types and codes of ICMP errors as error classes.
enum ICMPErrors {
    /// The message types that a raw socket has to read: replies and errors.
    static func awaitedTypes(isIPv6: Bool) -> [UInt8] {
        isIPv6
            ? [
                ICMPv6Type.echoReply, ICMPv6Type.destinationUnreachable, ICMPv6Type.packetTooBig,
                ICMPv6Type.timeExceeded, ICMPv6Type.parameterProblem,
            ]
            : [
                ICMPv4Type.echoReply, ICMPv4Type.destinationUnreachable, ICMPv4Type.timeExceeded,
                ICMPv4Type.parameterProblem,
            ]
    }

    static func errorClass(isIPv6: Bool, type: UInt8, code: UInt8) -> ErrorClass {
        isIPv6 ? errorClass6(type: type, code: code) : errorClass4(type: type, code: code)
    }

    private static func errorClass4(type: UInt8, code: UInt8) -> ErrorClass {
        switch (type, code) {
        case (3, 0), (3, 6), (3, 11): .networkUnreachable
        case (3, 1), (3, 7), (3, 8), (3, 12): .hostUnreachable
        case (3, 2): .protocolUnreachable
        case (3, 3): .portUnreachable
        case (3, 4): .packetTooBig
        case (3, 9), (3, 10), (3, 13), (3, 14), (3, 15): .prohibited
        case (11, _): .timeExceeded
        case (12, _): .parameterProblem
        default: .other
        }
    }

    private static func errorClass6(type: UInt8, code: UInt8) -> ErrorClass {
        switch (type, code) {
        case (1, 0), (1, 2): .networkUnreachable
        case (1, 3): .hostUnreachable
        case (1, 4): .portUnreachable
        case (1, 1), (1, 5), (1, 6): .prohibited
        case (2, _): .packetTooBig
        case (3, _): .timeExceeded
        case (4, _): .parameterProblem
        default: .other
        }
    }
}
