// What can go wrong when packets are opened or read, as one line for a person.

/// A capture source that cannot be opened or read.
public struct CaptureError: Error, Hashable, Sendable {
    public enum Kind: String, Hashable, Sendable {
        /// The file is not there or may not be read.
        case cannotOpen = "cannot-open"
        /// The file is not a capture, or is damaged before its first packet.
        case notACapture = "not-a-capture"
        /// The link type is none that can be dissected.
        case linkType = "link-type"
        /// The interface does not exist or is not up.
        case noInterface = "no-interface"
        /// The process lacks CAP_NET_RAW.
        case noPermission = "no-permission"
        /// The filter does not compile.
        case filter
        /// Anything else that libpcap or the kernel says.
        case other
    }

    public var kind: Kind
    /// The file or the interface.
    public var source: String
    public var reason: String

    public init(_ kind: Kind, source: String, reason: String) {
        self.kind = kind
        self.source = source
        // libpcap quotes file names and may break lines; an error is one line.
        self.reason = String(reason.map { $0.isNewline ? " " : $0 })
    }
}

extension CaptureError: CustomStringConvertible {
    public var description: String { "\(source): \(reason)" }
}
