import CLinux
import Foundation
import LinuxSystem
import Model
import Testing

@testable import Control

/// A server on a socket in a directory of its own.
private struct Fixture {
    let directory: String
    var path: String { directory + "/control.sock" }

    init() {
        directory = NSTemporaryDirectory() + "taut-\(UUID().uuidString.prefix(8))"
        try? FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    }

    func server(
        limits: ControlServer.Limits = .init(),
        answering: @escaping @Sendable (ControlRequest, ControlPeer) -> ControlReply = { request, _ in
            .done(request.name)
        }
    ) throws -> ControlServer {
        try ControlServer(path: path, limits: limits, answering: answering)
    }

    func client(_ timeout: Duration = .seconds(5)) -> ControlClient { ControlClient(path: path, timeout: timeout) }

    /// A connection without the client's manners.
    func connect() throws -> RawConnection { try RawConnection(path) }
}

private final class RawConnection {
    let descriptor: Int32

    init(_ path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        try #require(UnixAddress(path: path)).connect(descriptor)
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    @discardableResult
    func send(_ bytes: [UInt8]) -> Int {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes { raw in
                CLinux.send(descriptor, raw.baseAddress, raw.count, Int32(MSG_NOSIGNAL))
            }
            if count <= 0 { break }
            sent += count
        }
        return sent
    }

    /// One line, or nil at the end of the connection.
    func line() -> String? {
        var bytes: [UInt8] = []
        var byte: UInt8 = 0
        while recv(descriptor, &byte, 1, 0) == 1 {
            if byte == 10 { return String(decoding: bytes, as: UTF8.self) }
            bytes.append(byte)
        }
        return nil
    }
}

/// The server shows its counters once a turn of its loop.
private func eventually(_ condition: () -> Bool) -> Bool {
    for _ in 0..<500 {
        if condition() { return true }
        usleep(20_000)
    }
    return false
}

private func code(_ line: String?) -> ControlFailure.Code? {
    guard let line, let reply = try? JSONDecoder().decode(ControlReply.self, from: Data(line.utf8)),
        case .failed(let failure) = reply
    else { return nil }
    return failure.code
}

@Suite struct ControlServerTests {
    @Test func answersARequest() throws {
        let fixture = Fixture()
        let server = try fixture.server()
        defer { server.stop() }
        #expect(try fixture.client().send(.reload) == .done("reload"))
        #expect(eventually { server.counters.requests == 1 })
    }

    @Test func servesSeveralRequestsOnOneConnectionInOrder() throws {
        let fixture = Fixture()
        let server = try fixture.server()
        defer { server.stop() }
        let raw = try fixture.connect()
        raw.send(Array("{\"request\":\"reload\"}\n{\"request\":\"silences\"}\n{\"request\":\"status\"}\n".utf8))
        #expect(raw.line()?.contains("\"reload\"") == true)
        #expect(raw.line()?.contains("\"silences\"") == true)
        #expect(raw.line()?.contains("\"status\"") == true)
    }

    @Test func tellsThePeerApart() throws {
        let fixture = Fixture()
        let server = try fixture.server { _, peer in .done("\(peer.pid) \(peer.uid)") }
        defer { server.stop() }
        #expect(try fixture.client().send(.stat) == .done("\(getpid()) \(geteuid())"))
    }

    @Test func answersGarbageWithAReason() throws {
        let fixture = Fixture()
        let server = try fixture.server()
        defer { server.stop() }
        let raw = try fixture.connect()
        for garbage in [
            "", "nonsense", "{}", "{\"request\":\"launch\"}", "[1,2]", "{\"request\":\"ack\"}", "\u{0}\u{1b}",
        ] {
            raw.send(Array(garbage.utf8) + [10])
            #expect(code(raw.line()) == .malformed, "\(garbage)")
        }
        raw.send([0xFF, 0xFE, 10])
        #expect(code(raw.line()) == .malformed)
        raw.send(Array(String(repeating: "[", count: 200_000).utf8) + [10])
        #expect(code(raw.line()) == .malformed)
        #expect(try fixture.client().send(.stat) == .done("stat"))
        #expect(eventually { server.counters.malformed == 9 })
    }

    @Test func refusesAnEndlessRequest() throws {
        let fixture = Fixture()
        let server = try fixture.server()
        defer { server.stop() }
        let raw = try fixture.connect()
        let sent = raw.send([UInt8](repeating: 32, count: 8 << 20))
        #expect(sent < 8 << 20)
        #expect(eventually { server.counters.malformed == 1 })
        #expect(try fixture.client().send(.stat) == .done("stat"))
    }

    @Test func dropsWhoNeverFinishesARequest() throws {
        let fixture = Fixture()
        var limits = ControlServer.Limits()
        limits.request = 200_000_000
        let server = try fixture.server(limits: limits)
        defer { server.stop() }
        let raw = try fixture.connect()
        raw.send(Array("{\"request\":".utf8))
        #expect(raw.line() == nil)
        #expect(eventually { server.counters.timedOut == 1 })
    }

    @Test func dropsWhoDoesNotTakeTheReply() throws {
        let fixture = Fixture()
        var limits = ControlServer.Limits()
        limits.reply = 300_000_000
        let server = try fixture.server(limits: limits) { request, _ in
            .done(request == .reload ? String(repeating: "x", count: 8 << 20) : "small")
        }
        defer { server.stop() }
        let slow = try fixture.connect()
        slow.send(Array("{\"request\":\"reload\"}\n".utf8))
        // Others are served while the slow one is waited for.
        #expect(try fixture.client().send(.stat) == .done("small"))
        #expect(eventually { server.counters.timedOut == 1 })
        #expect(server.counters.open <= 1)
    }

    @Test func carriesALargeReplyToAReaderThatTakesIt() throws {
        let fixture = Fixture()
        let text = String(repeating: "ä\n", count: 1_000_000)
        let server = try fixture.server { _, _ in .done(text) }
        defer { server.stop() }
        #expect(try fixture.client(.seconds(20)).send(.stat) == .done(text))
    }

    @Test func turnsAwayWhatIsAboveTheBound() throws {
        let fixture = Fixture()
        var limits = ControlServer.Limits()
        limits.connections = 4
        let server = try fixture.server(limits: limits)
        var held: [RawConnection] = []
        for _ in 0..<4 {
            let raw = try fixture.connect()
            raw.send(Array("{\"request\":\"stat\"}\n".utf8))
            #expect(raw.line() != nil)
            held.append(raw)
        }
        guard case .failed(let failure) = try fixture.client().send(.stat) else {
            Issue.record("was served")
            return
        }
        #expect(failure.code == .busy)
        held.removeAll()
        #expect(eventually { (try? fixture.client().send(.stat)) == .done("stat") })
        server.stop()
    }

    @Test func survivesManyWhoComeAndGo() throws {
        let fixture = Fixture()
        let server = try fixture.server()
        defer { server.stop() }
        for index in 0..<500 {
            let raw = try fixture.connect()
            if index % 3 == 0 { raw.send(Array("{\"request\":\"stat\"}\n".utf8)) }
        }
        // Those who left last may still be counted, and then the answer is that the daemon is busy.
        #expect(eventually { (try? fixture.client().send(.stat)) == .done("stat") })
    }

    @Test func repliesFromAnotherThreadAndLater() throws {
        let fixture = Fixture()
        let server = try ControlServer(path: fixture.path) { request, _, responder in
            if request == .silences { return }
            _ = try? Thread.start(name: "later") {
                usleep(100_000)
                responder.reply(.done("later"))
            }
        }
        defer { server.stop() }
        #expect(try fixture.client().send(.stat) == .done("later"))
        // A responder that is let go answers by itself.
        guard case .failed(let failure) = try fixture.client().send(.silences) else {
            Issue.record("was answered")
            return
        }
        #expect(failure.code == .unwell)
    }

    @Test func showsThatItIsAliveWhileNothingHappens() throws {
        let fixture = Fixture()
        let server = try fixture.server()
        defer { server.stop() }
        usleep(1_300_000)
        #expect(server.heartbeat.age() < 1_000_000_000)
    }

    @Test func refusesOutsiders() throws {
        let peer = ControlPeer(pid: 1, uid: 1_000, gid: 1_000, groups: [4, 27])
        #expect(!peer.isAdmitted(owner: 106, group: 112))
        #expect(peer.isAdmitted(owner: 1_000, group: 112))
        #expect(peer.isAdmitted(owner: 106, group: 27))
        #expect(peer.isAdmitted(owner: 106, group: 1_000))
        #expect(ControlPeer(pid: 1, uid: 0, gid: 0).isAdmitted(owner: 106, group: 112))
    }
}

@Suite struct ControlSocketFileTests {
    @Test func hasTheModeForItsGroupWhateverTheUmask() throws {
        let fixture = Fixture()
        let server = try fixture.server()
        defer { server.stop() }
        var status = stat()
        #expect(lstat(fixture.path, &status) == 0)
        #expect(status.st_mode & 0o7777 == 0o660)
    }

    @Test func replacesAFileThatADeadDaemonLeft() throws {
        let fixture = Fixture()
        let dead = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        try #require(UnixAddress(path: fixture.path)).bind(dead)
        close(dead)
        let server = try fixture.server()
        defer { server.stop() }
        #expect(try fixture.client().send(.stat) == .done("stat"))
    }

    @Test func leavesASocketWhereSomebodyAnswers() throws {
        let fixture = Fixture()
        let first = try fixture.server()
        defer { first.stop() }
        #expect(throws: ControlServerError.inUse(fixture.path)) { _ = try fixture.server() }
        #expect(try fixture.client().send(.stat) == .done("stat"))
    }

    @Test func leavesAFileThatIsNoSocket() throws {
        let fixture = Fixture()
        try "precious".write(toFile: fixture.path, atomically: true, encoding: .utf8)
        #expect(throws: ControlServerError.notSocket(fixture.path)) { _ = try fixture.server() }
        #expect(try String(contentsOfFile: fixture.path, encoding: .utf8) == "precious")
    }

    @Test func removesItsFileAtTheEnd() throws {
        let fixture = Fixture()
        do {
            let server = try fixture.server()
            server.stop()
        }
        #expect(!FileManager.default.fileExists(atPath: fixture.path))
    }

    @Test func refusesAPathThatTheKernelCannotTake() {
        let path = "/tmp/" + String(repeating: "x", count: 120)
        #expect(throws: ControlServerError.unusablePath(path)) {
            _ = try ControlServer(path: path, answering: { _, _ in .done("") })
        }
    }
}

@Suite struct ControlClientTests {
    @Test func saysThatNobodyAnswers() {
        let fixture = Fixture()
        #expect(throws: ControlClientError.notRunning(fixture.path)) { try fixture.client().send(.stat) }
    }

    @Test func givesUpOnADaemonThatHangs() throws {
        let fixture = Fixture()
        let kept = Kept()
        let server = try ControlServer(path: fixture.path) { _, _, responder in kept.keep(responder) }
        defer { server.stop() }
        let start = Date()
        #expect(throws: ControlClientError.timedOut(fixture.path)) {
            try fixture.client(.milliseconds(300)).send(.stat)
        }
        #expect(Date().timeIntervalSince(start) < 3)
    }

    @Test(.enabled(if: geteuid() == 0, "needs root, to become another user"))
    func saysThatTheUserMayNot() throws {
        let fixture = Fixture()
        let server = try fixture.server()
        defer { server.stop() }
        chmod(fixture.directory, 0o755)
        // In a child, since a process cannot try a user on and off while other threads run. Connecting needs write.
        let child = Process()
        child.executableURL = URL(fileURLWithPath: "/usr/bin/setpriv")
        child.arguments = [
            "--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/test", "-w", fixture.path,
        ]
        try child.run()
        child.waitUntilExit()
        #expect(child.terminationStatus == 1)
    }
}

/// Holds responders, so that nothing answers.
private final class Kept: @unchecked Sendable {
    private var responders: [ControlResponder] = []
    func keep(_ responder: ControlResponder) { responders.append(responder) }
}
