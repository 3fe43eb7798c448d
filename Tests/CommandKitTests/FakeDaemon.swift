import Control
import Foundation
import Model
import Synchronization

/// A control socket that answers what a test wants, for the built `taut`.
final class FakeDaemon: Sendable {
    let directory: String
    private let server: ControlServer
    var options: [String] { ["--socket", directory + "/s", "--db", directory + "/none.db"] }

    init(_ answer: @escaping @Sendable (ControlRequest) -> ControlReply) throws {
        // A socket's path has 107 bytes at most.
        directory = "/tmp/taut-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        server = try ControlServer(path: directory + "/s") { request, _ in answer(request) }
    }

    /// One that knows one status.
    convenience init(_ report: StatusReport) throws {
        try self.init { request in
            if case .status = request { return .status(report) }
            return .failed(.refused, "only a status is known here")
        }
    }

    func stop() { server.stop() }

    deinit {
        server.stop()
        try? FileManager.default.removeItem(atPath: directory)
    }
}
