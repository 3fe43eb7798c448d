// Real captures of VPNs beside the repository: the times that they hold, worked out from their records.

import Capturing
import Foundation
import Model
import Testing

/// One real file and some of what it must say.
struct RealCapture: Sendable {
    var file: String
    var kind: PassiveKind
    /// Samples as `Analysis.lines` writes them, without method.
    var lines: [String]

    static let all: [RealCapture] = [
        RealCapture(
            file: "wireshark/captures/wireguard-ping-tcp.pcap", kind: .wireguard,
            lines: ["server 2.518", "server 5.547"]),
        RealCapture(
            file: "wireshark/captures/wireguard-psk.pcap", kind: .wireguard, lines: ["server 3.753", "client 5.269"]),
        RealCapture(
            file: "tcpdump/tests/ikev2four.pcap", kind: .ikev2,
            lines: [
                "server 3.731 [IKE_SA_INIT,COOKIE]", "server 9.01 [IKE_SA_INIT]", "server 5.983 [IKE_AUTH]",
                "server 5.665 [CREATE_CHILD_SA]", "server 9.628 [CREATE_CHILD_SA]", "server 6.722 [CREATE_CHILD_SA]",
                "server 11.872 [CREATE_CHILD_SA]", "server 6.566 [CREATE_CHILD_SA]",
                "server 12.569 [CREATE_CHILD_SA]", "server 13.06 [CREATE_CHILD_SA]",
                "server timeout [INFORMATIONAL]",
            ]),
        RealCapture(
            file: "wireshark/captures/ikev2-decrypt-aes256gcm16.pcap", kind: .ikev2,
            lines: ["server 51.906 [IKE_SA_INIT]", "server 8.019 [IKE_AUTH]", "client 64.759 [INFORMATIONAL]"]),
        // Several recordings in one file. In the first, over UDP, address translation lies between both directions.
        RealCapture(
            file: "openvpn/openvpn.pcap", kind: .openvpn,
            lines: [
                "server orphan", "server 4.561 [tcp]", "server 52.869 [tls_auth,tcp]", "server 195.179 [tls_auth]",
                "server ambiguous [tls_auth,retries=1,bounds_us=46564..2242452]", "server 216.135",
                "server 24.573 [tls_crypt,tcp]", "server 135.565 [tls_auth]", "server 3.083 [tls_auth]",
                "server timeout",
            ]),
    ]
}

@Suite struct VPNCorpusTests {
    @Test(arguments: RealCapture.all)
    func handshakesOfRealCaptures(_ expected: RealCapture) throws {
        guard let file = Corpus.file(expected.file), FileManager.default.fileExists(atPath: file.path) else {
            print("skipped: no ../shared/corpus/\(expected.file)")
            return
        }
        let analysis = try Analysis(file: file.path)
        let prefix = expected.kind.rawValue + " "
        let lines = analysis.lines.filter { $0.hasPrefix(prefix) }.map {
            $0.dropFirst(prefix.count).replacingOccurrences(of: "transaction ", with: "")
        }
        #expect(lines.sorted() == expected.lines.sorted())
        #expect(analysis.isBalanced)
    }
}
