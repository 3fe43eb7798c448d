// The built daemon and command, run in the lab.

import Foundation
import Glibc

/// A `tautd` in a namespace, with a directory of its own for config, state, socket and log.
public final class DaemonProcess: @unchecked Sendable {
    /// Where it keeps everything; under /run, since hooks are refused below a directory that others may write to.
    public let directory: String
    private let namespace: Namespace
    private let binaries: String
    private let process: Process

    /// The directory of the running program, which is where the package's other programs are built.
    public static var ownBinaries: String {
        let path = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? "/proc/self/exe"
        return URL(fileURLWithPath: path).deletingLastPathComponent().path
    }

    /// Starts the daemon and returns at once.
    ///
    /// - Parameters:
    ///   - files: further files of the directory by their names; those that begin with `#!` become executable.
    ///     `@DIR@` in the config and in them stands for the directory.
    ///   - binaries: where `tautd` and `taut` are.
    public init(
        in namespace: Namespace, config: String, files: [String: String] = [:],
        binaries: String = DaemonProcess.ownBinaries, environment: [String: String] = [:]
    ) throws {
        self.namespace = namespace
        self.binaries = binaries
        directory = "/run/\(namespace.name)-\(UInt32.random(in: 0...UInt32.max))"
        for path in [directory, directory + "/state", directory + "/run"] {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
        }
        for (name, text) in files.merging(["tautline.yaml": config], uniquingKeysWith: { $1 }) {
            let path = directory + "/" + name
            let content = text.replacingOccurrences(of: "@DIR@", with: directory)
            try content.write(toFile: path, atomically: true, encoding: .utf8)
            chmod(path, text.hasPrefix("#!") ? 0o755 : 0o644)
        }
        process = try namespace.process(
            [
                binaries + "/tautd", "--config", directory + "/tautline.yaml", "--state-dir", directory + "/state",
                "--runtime-dir", directory + "/run",
            ], environment: environment)
        try Data().write(to: URL(fileURLWithPath: directory + "/log"))
        let log = try FileHandle(forWritingTo: URL(fileURLWithPath: directory + "/log"))
        process.standardOutput = log
        process.standardError = log
        process.standardInput = FileHandle.nullDevice
        try process.run()
    }

    deinit {
        if process.isRunning { stop() }
        try? FileManager.default.removeItem(atPath: directory)
    }

    /// `ip netns exec` becomes the daemon by exec, so that this is the daemon's own pid.
    public var pid: Int32 { process.processIdentifier }
    public var isRunning: Bool { process.isRunning }
    public var socket: String { directory + "/run/control.sock" }
    public var database: String { directory + "/state/tautline.db" }

    /// What it has written so far.
    public var log: String { (try? String(contentsOfFile: directory + "/log", encoding: .utf8)) ?? "" }

    /// A file of its directory; empty where there is none.
    public func file(_ name: String) -> String {
        (try? String(contentsOfFile: directory + "/" + name, encoding: .utf8)) ?? ""
    }

    /// Waits until the control socket is there; false after `seconds`, or where the daemon has ended.
    public func waitUntilReady(seconds: Double = 10) -> Bool {
        let end = Date().addingTimeInterval(seconds)
        while Date() < end, process.isRunning {
            if FileManager.default.fileExists(atPath: socket) { return true }
            usleep(20_000)
        }
        return false
    }

    /// The command line of `taut` against this daemon.
    public func command(_ arguments: [String]) -> [String] {
        [binaries + "/taut"] + arguments + ["--socket", socket, "--db", database]
    }

    /// Runs `taut` in the namespace.
    public func taut(_ arguments: String...) throws -> Command.Result {
        try Command.attempt(namespace.inside(command(arguments)))
    }

    public func signal(_ number: Int32) { kill(pid, number) }

    /// SIGTERM, and SIGKILL after `seconds`. Returns the exit status, or the negated signal that ended it.
    @discardableResult
    public func stop(seconds: Double = 8) -> Int32 {
        signal(SIGTERM)
        let end = Date().addingTimeInterval(seconds)
        while process.isRunning, Date() < end { usleep(20_000) }
        if process.isRunning { signal(SIGKILL) }
        process.waitUntilExit()
        return Command.status(of: process)
    }
}
