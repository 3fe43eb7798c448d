// Sweeps over the captures beside the repository; skipped, saying so, where they are not there.

import Capturing
import Foundation
import Model
import Testing

@Suite struct CorpusTests {
    @Test(arguments: CraftedCapture.all)
    func crafted(_ expected: CraftedCapture) throws {
        guard let file = Corpus.file("synthetic/\(expected.file)"), FileManager.default.fileExists(atPath: file.path)
        else {
            print("skipped: no ../shared/corpus/synthetic/\(expected.file)")
            return
        }
        let analysis = try Analysis(file: file.path)
        #expect(analysis.lines == expected.lines)
        #expect(analysis.report.retransmissions == expected.retransmissions)
        #expect(analysis.report.outOfOrder == expected.outOfOrder)
        #expect(analysis.report.duplicates == expected.duplicates)
        #expect(analysis.isBalanced)
    }

    /// Real handshakes. tshark shows no such RTTs itself; each of these is the difference of two record times that it shows,
    /// checked by hand (`tshark -n -r FILE -Y 'quic || tls.handshake' -T fields -e frame.time_relative -e udp.srcport
    /// -e quic.long.packet_type -e quic.version -e quic.frame_type -e tcp.srcport -e tls.handshake.type`): the client's
    /// first Initial to the server's first long header, that to the client's first acknowledgement, hello to hello.
    private static let handshakes: [(file: String, lines: [String], service: String?)] = [
        (
            "tcpdump/tests/quic_handshake.pcap",
            ["quic_handshake server transaction 12.013", "quic_handshake client transaction 7.169"], "localhost"
        ),
        (
            "tcpdump/tests/quic_retry.pcap",
            [
                "quic_retry server transaction 3.088", "quic_handshake server transaction 14.744 [after_retry]",
                "quic_handshake client transaction 0.615",
            ], "localhost"
        ),
        (
            "tcpdump/tests/quic_vn.pcap",
            [
                "quic_version server transaction 1.555", "quic_handshake server transaction 11.148 [after_retry]",
                "quic_handshake client transaction 0.737",
            ], "localhost"
        ),
        (
            "wireshark/captures/quic_follow_multistream.pcapng",
            ["quic_handshake server transaction 39.581549", "quic_handshake client transaction 3.077403"],
            "www.youtube.com"
        ),
        (
            "wireshark/captures/tls12-dsb.pcapng",
            ["tls server transaction 0.341", "tls server transaction 0.264"], "example.net"
        ),
        (
            "wireshark/captures/tls13-rfc8446.pcap",
            ["tls server transaction 2.634", "tls server transaction 1.765 [early_data]"], nil
        ),
    ]

    @Test(arguments: handshakes.indices)
    func realHandshakes(_ index: Int) throws {
        let expected = CorpusTests.handshakes[index]
        guard let file = Corpus.file(expected.file), FileManager.default.fileExists(atPath: file.path) else {
            print("skipped: no ../shared/corpus/\(expected.file)")
            return
        }
        let analysis = try Analysis(file: file.path)
        #expect(analysis.lines.filter { $0.hasPrefix("quic") || $0.hasPrefix("tls") } == expected.lines)
        let last = analysis.samples.last { $0.kind.rawValue.hasPrefix("quic") || $0.kind.rawValue.hasPrefix("tls") }
        #expect(last?.service == expected.service)
    }

    @Test func everyFileEndsInAReportOrAnError() throws {
        guard Corpus.directory != nil else {
            print("skipped: no ../shared/corpus")
            return
        }
        var read = 0
        for file in Corpus.files {
            do {
                let analysis = try Analysis(file: file.path)
                #expect(analysis.isBalanced, "\(file.path)")
                read += 1
            } catch let error as CaptureError {
                #expect(!"\(error)".contains("\n"), "\(file.path)")
            }
        }
        print("read \(read) of \(Corpus.files.count) files")
        #expect(read > 500)
    }
}
