// A capture that outlives its interface.
//
// The kernel lets go of a packet socket when its interface is deleted, and libpcap calls the handle dead from then on. The
// socket and its ring stay whole, though, and binding it to the interface's successor takes no privilege; libpcap then reads
// what is in the ring as before, and complains only when it is asked while there is nothing in it.

internal import LinuxSystem

/// Which interface a source is bound to.
struct InterfaceAttachment: Sendable {
    let name: String
    /// nil while the interface is waited for.
    var interface: PacketInterface?
    /// Whether the socket was bound anew: what libpcap says of the interface is out of date from then on.
    var hasMoved = false

    /// What became of the interface.
    enum Following: Equatable {
        /// It is the one that the source is bound to.
        case attached
        /// It has been made or made anew, and the source is bound to it now.
        case reattached
        /// It is not there or cannot be captured; the reason in one line.
        case gone(String)
    }

    /// Looks the interface up by name, and binds the socket where it is another one than before.
    mutating func follow(with descriptor: Int32) -> Following {
        guard let present = PacketInterface(named: name, seenBy: descriptor) else {
            return .gone("the interface does not exist")
        }
        if present.index == interface?.index { return .attached }
        // The engine was made for one framing; packets of another would be misread, not merely unreadable.
        if let interface, interface.hardwareType != present.hardwareType {
            return .gone("the interface has come back with another link type, which takes a restart")
        }
        do {
            try PacketSocket.bind(descriptor, to: present.index)
        } catch {
            return .gone("the interface has come back, but \(error)")
        }
        // Without it the capture still sees what is addressed to the host.
        try? PacketSocket.setPromiscuous(descriptor, interface: present.index)
        interface = present
        hasMoved = true
        return .reattached
    }
}
