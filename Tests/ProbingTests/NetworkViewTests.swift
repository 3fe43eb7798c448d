import LinuxSystem
import Model
import Testing
import Wire

@testable import Probing

private func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

struct NetworkViewTests {
    private func makeState(carrier: Bool = true) throws -> NetworkState {
        NetworkState(
            links: [
                NetworkState.Link(index: 1, name: "lo", isUp: true, hasCarrier: true, isLoopback: true),
                NetworkState.Link(index: 2, name: "eth0", isUp: true, hasCarrier: carrier),
                NetworkState.Link(index: 3, name: "eth1", isUp: false, hasCarrier: false),
            ],
            addresses: [NetworkState.Address(index: 2, address: try address("192.0.2.10"), prefixLength: 24)],
            defaultRoutes: [
                NetworkState.DefaultRoute(gateway: try address("192.0.2.1"), interfaceIndex: 2, interfaceName: "eth0")
            ])
    }

    @Test
    func linksSayWhatTheyAre() throws {
        let view = Box(NetworkView())
        #expect(view.it.linkOutcome("eth0") == nil)
        view.it.update(try makeState())
        #expect(view.it.linkOutcome("eth0")?.outcome == .ok(rtt: nil))
        #expect(view.it.linkOutcome("eth1")?.outcome == .error(.linkDown))
        #expect(view.it.linkOutcome("eth1")?.note == "administratively down")
        #expect(view.it.linkOutcome("wlan0")?.note == "no such interface")
        view.it.update(try makeState(carrier: false))
        #expect(view.it.linkOutcome("eth0")?.note == "no carrier")
    }

    @Test
    func ourOwnHostUnreachableBlamesTheRightOne() throws {
        let view = Box(NetworkView())
        let own = try address("192.0.2.10")
        let neighbour = try address("192.0.2.77")
        let far = try address("203.0.113.5")
        func outcome(_ error: ErrorClass, from offender: IPAddress, _ destination: IPAddress) -> Outcome {
            view.it.outcome(of: error, from: offender, destination: destination, elapsed: .milliseconds(3))
        }
        #expect(outcome(.hostUnreachable, from: own, far) == .error(.hostUnreachable))
        view.it.update(try makeState())
        // Nobody answers ARP for a neighbour: the target. For the way to a far one: the gateway.
        #expect(outcome(.hostUnreachable, from: own, neighbour) == .error(.hostUnreachable))
        #expect(outcome(.hostUnreachable, from: own, far) == .indeterminate(.gatewayDown))
        let router = try address("198.51.100.1")
        #expect(outcome(.hostUnreachable, from: router, far) == .error(.hostUnreachable))
        #expect(outcome(.prohibited, from: router, far) == .error(.prohibited))
        // Our own firewall says no to what we send; that says nothing of the target.
        for error in [ErrorClass.prohibited, .portUnreachable, .networkUnreachable] {
            #expect(outcome(error, from: own, far) == .indeterminate(.sendRefused))
            #expect(outcome(error, from: own, neighbour) == .indeterminate(.sendRefused))
        }
        #expect(outcome(.prohibited, from: own, own) == .error(.prohibited))
        // "Port unreachable" is the target's own no only where the target says it.
        #expect(outcome(.portUnreachable, from: far, far) == .refused(rtt: .milliseconds(3)))
        #expect(outcome(.portUnreachable, from: router, far) == .error(.portUnreachable))
    }

    @Test
    func aNamedInterfaceThatIsDownStopsItsProbes() throws {
        let view = Box(NetworkView())
        view.it.update(try makeState())
        let far = SocketAddress(try address("203.0.113.5"))
        #expect(view.it.obstacle(to: far, interface: "eth1") == .linkDown)
        #expect(view.it.obstacle(to: far, interface: "eth0") == nil)
        #expect(view.it.obstacle(to: far, interface: "gone0") == .linkDown)
        #expect(view.it.obstacle(to: SocketAddress(try address("127.0.0.1")), interface: "eth1") == nil)
        #expect(view.it.reasonForNoRoute == .noRoute)
        view.it.update(try makeState(carrier: false))
        #expect(view.it.reasonForNoRoute == .linkDown)
    }

    @Test
    func errorNumbersOfOurOwnSideAreNeverTheTargets() {
        let reasons: [(Int32, IndeterminateReason)] = [
            (101, .noRoute), (113, .noRoute), (100, .linkDown), (1, .sendRefused), (13, .sendRefused),
            (105, .sendBufferFull), (11, .sendBufferFull), (24, .descriptorsExhausted), (23, .descriptorsExhausted),
            (99, .noSourceAddress), (22, .internalError),
        ]
        for (number, reason) in reasons {
            #expect(SendErrors.reason(number, hasSourceAddress: false, noRoute: .noRoute) == reason)
        }
        #expect(SendErrors.reason(22, hasSourceAddress: true, noRoute: .noRoute) == .noSourceAddress)
    }

    @Test
    func icmpErrorsAreNamed() {
        #expect(ICMPErrors.errorClass(isIPv6: false, type: 3, code: 1) == .hostUnreachable)
        #expect(ICMPErrors.errorClass(isIPv6: false, type: 3, code: 13) == .prohibited)
        #expect(ICMPErrors.errorClass(isIPv6: false, type: 3, code: 4) == .packetTooBig)
        #expect(ICMPErrors.errorClass(isIPv6: false, type: 11, code: 0) == .timeExceeded)
        #expect(ICMPErrors.errorClass(isIPv6: true, type: 1, code: 0) == .networkUnreachable)
        #expect(ICMPErrors.errorClass(isIPv6: true, type: 2, code: 0) == .packetTooBig)
        #expect(ICMPErrors.errorClass(isIPv6: true, type: 77, code: 0) == .other)
    }
}
