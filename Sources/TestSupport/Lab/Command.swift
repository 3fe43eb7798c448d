// Programs of the host (ip, nft, ping) run to their end.

public import Foundation

/// A program that failed, with what it said.
public struct CommandError: Error, CustomStringConvertible {
    public let command: [String]
    /// The exit code, or the negated number of the signal that ended it.
    public let status: Int32
    public let output: String

    public init(command: [String], status: Int32, output: String) {
        self.command = command
        self.status = status
        self.output = output
    }

    public var description: String {
        "\(command.joined(separator: " ")): status \(status): \(output.prefix(2_000))"
    }
}

/// Runs programs without a shell.
public enum Command {
    /// What a program left.
    public struct Result: Sendable {
        public let status: Int32
        public let output: String
        public let errors: String
    }

    /// Where programs are looked for, whatever the caller's PATH: root's tools among them.
    public static let searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    /// The first executable file of that name on `searchPath`; nil where there is none.
    public static func path(of program: String) -> String? {
        if program.contains("/") { return program }
        return searchPath.split(separator: ":").map { "\($0)/\(program)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    /// Runs a program and returns what it printed, whatever its status. Throws where it cannot be started.
    public static func attempt(_ command: [String], environment: [String: String] = [:]) throws -> Result {
        let process = try make(command, environment: environment)
        let output = Pipe()
        // A file instead of a second pipe: two pipes need two readers.
        let errorFile = FileManager.default.temporaryDirectory.appendingPathComponent("lab-\(UUID().uuidString)")
        try Data().write(to: errorFile)
        defer { try? FileManager.default.removeItem(at: errorFile) }
        process.standardOutput = output
        process.standardError = try FileHandle(forWritingTo: errorFile)
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let text = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        let errors = (try? Data(contentsOf: errorFile)) ?? Data()
        return Result(
            status: status(of: process), output: String(decoding: text, as: UTF8.self),
            errors: String(decoding: errors, as: UTF8.self))
    }

    /// Runs a program and returns what it printed on stdout. Throws `CommandError` where it fails.
    @discardableResult
    public static func run(_ command: [String], environment: [String: String] = [:]) throws -> String {
        let result = try attempt(command, environment: environment)
        guard result.status == 0 else {
            throw CommandError(command: command, status: result.status, output: result.errors + result.output)
        }
        return result.output
    }

    /// Words of one line, separated by blanks; for fixed commands.
    @discardableResult
    public static func run(_ line: String) throws -> String {
        try run(line.split(separator: " ").map(String.init))
    }

    /// A process that is not started yet, with a plain environment plus `environment`.
    public static func make(_ command: [String], environment: [String: String] = [:]) throws -> Process {
        guard let name = command.first, let path = path(of: name) else {
            throw CommandError(command: command, status: 127, output: "not installed")
        }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = Array(command.dropFirst())
        process.environment = ["PATH": searchPath, "LC_ALL": "C", "HOME": "/"].merging(environment) { $1 }
        return process
    }

    public static func status(of process: Process) -> Int32 {
        process.terminationReason == .uncaughtSignal ? -process.terminationStatus : process.terminationStatus
    }
}
