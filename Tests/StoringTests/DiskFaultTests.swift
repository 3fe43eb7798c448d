import Foundation
import Glibc
import Model
import Testing

@testable import Storing

/// A disk that errs, a directory of another owner, a file system that may not be written.
@Suite struct DiskFaultTests {
    private static let isRoot = getuid() == 0
    private static let canTrace =
        Writing.program != nil && FileManager.default.isExecutableFile(atPath: "/usr/bin/strace")

    private struct Ended {
        var status: Int32
        var output: String
        var errors: String
    }

    private func run(_ arguments: [String]) throws -> Ended {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        let scratch = Scratch()
        for name in ["out", "err"] {
            _ = FileManager.default.createFile(atPath: scratch.path + "/" + name, contents: nil)
        }
        process.standardOutput = FileHandle(forWritingAtPath: scratch.path + "/out")
        process.standardError = FileHandle(forWritingAtPath: scratch.path + "/err")
        try process.run()
        process.waitUntilExit()
        return Ended(
            status: process.terminationReason == .exit
                ? process.terminationStatus : -process.terminationStatus,
            output: try String(contentsOfFile: scratch.path + "/out", encoding: .utf8),
            errors: try String(contentsOfFile: scratch.path + "/err", encoding: .utf8))
    }

    private func write(_ scratch: Scratch, _ arguments: [String], injecting injection: String? = nil) throws -> Ended {
        var command: [String] = []
        if let injection {
            command = [
                "strace", "-f", "-qq", "-o", scratch.path + "/trace", "-e",
                "trace=" + injection.prefix { $0 != ":" }, "-e", "inject=" + injection,
            ]
        }
        return try run(
            command + [try #require(Writing.program), "write", "--directory", scratch.path] + arguments)
    }

    /// Calls of the writer that fail for a while; what was acknowledged before and after is there, and nothing is damaged.
    @Test(
        .enabled(if: canTrace, "needs strace and storebench"),
        arguments: [
            "pwrite64:error=EIO:when=100..130", "pwrite64:error=EROFS:when=100..115",
            "pwrite64:error=ENOSPC:when=100..115", "fsync,fdatasync:error=EIO:when=6..9",
        ])
    func callsThatFailAreSurvived(injection: String) throws {
        let scratch = Scratch()
        #expect(try write(scratch, ["--flushes", "1"]).status == 0)
        let ended = try write(
            scratch, ["--from", "10000", "--flushes", "20", "--keep-going"], injecting: injection)
        #expect(ended.status == 0, "\(ended)")
        let lines = ended.output.split(separator: "\n")
        #expect(lines.compactMap { Int($0) }.last == 10_000 + 20 * 500 - 1)
        let injected = try String(contentsOfFile: scratch.path + "/trace", encoding: .utf8)
            .split(separator: "\n").filter { $0.hasSuffix("(INJECTED)") }.count
        let failed = lines.filter { $0.hasPrefix("failed") }
        print("\(injection): \(injected) calls failed, \(failed.count) commits had to be tried again")
        #expect(injected > 0 && !failed.isEmpty, "the fault was met after the opening")
        let reader = try scratch.reader()
        #expect(try reader.check().isSound)
        let found = try reader.results(of: target("killed"), limit: .max).map { Int($0.result.sequence) }
        #expect(found == Array(0..<500) + Array(10_000..<20_000), "\(found.count)")
        #expect(try !scratch.names().contains { $0.contains("corrupt-") })
    }

    /// A disk that fails from the beginning: one sentence, the file stays, and the next start is a usual one.
    @Test(
        .enabled(if: canTrace, "needs strace and storebench"),
        arguments: ["pwrite64:error=EIO:when=1+", "fsync,fdatasync:error=EIO:when=1+"])
    func aDiskThatFailsAtTheStartIsSaid(injection: String) throws {
        let scratch = Scratch()
        #expect(try write(scratch, ["--flushes", "1"]).status == 0)
        let ended = try write(scratch, ["--from", "10000", "--flushes", "1"], injecting: injection)
        #expect(ended.status == 78, "\(ended)")
        #expect(ended.errors.hasPrefix("storebench: ") && ended.errors.split(separator: "\n").count == 1, "\(ended)")
        #expect(try !scratch.names().contains { $0.contains("corrupt-") }, "nothing is set aside")
        #expect(try write(scratch, ["--from", "20000", "--flushes", "1"]).status == 0)
        let found = try scratch.reader().results(of: target("killed"), limit: .max).map { Int($0.result.sequence) }
        #expect(found == Array(0..<500) + Array(20_000..<20_500), "\(found.count)")
    }

    @Test(.enabled(if: isRoot && Writing.program != nil, "needs root to become another user"))
    func aDirectoryOfAnotherOwnerIsRefusedWithASentence() throws {
        let scratch = Scratch()
        chmod(scratch.path, 0o750)
        let other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        let writing = [
            try #require(Writing.program), "write", "--directory", scratch.path, "--flushes", "1",
        ]
        let ended = try run(other + writing)
        #expect(ended.status == 78)
        #expect(
            ended.errors
                == "storebench: cannot open \(scratch.path)/tautline.db.lock: Permission denied\n")
        #expect(try scratch.names().isEmpty)

        // A directory that may be written, with a file in it that may not.
        #expect(try run(writing).status == 0)
        chmod(scratch.path, 0o777)
        chown(scratch.database + ".lock", 65_534, 65_534)
        let before = try Data(contentsOf: URL(fileURLWithPath: scratch.database))
        let second = try run(other + writing)
        #expect(second.status == 78)
        #expect(second.errors == "storebench: cannot open \(scratch.database): Permission denied\n")
        #expect(try Data(contentsOf: URL(fileURLWithPath: scratch.database)) == before)
        #expect(try !scratch.names().contains { $0.contains("corrupt-") }, "nothing is set aside")
    }

    @Test(.enabled(if: isRoot, "needs root to mount a file system"))
    func aReadOnlyFileSystemIsRefusedForWritingAndRead() throws {
        let scratch = Scratch()
        let mount = scratch.path + "/disk"
        try FileManager.default.createDirectory(atPath: mount, withIntermediateDirectories: true)
        try #require(try run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", mount]).status == 0)
        defer { _ = try? run(["umount", "-l", mount]) }
        let settings = StorageSettings()
        let store = try Store.open(directory: mount, settings: settings, now: noon).store
        store.append(round(at: noon, [ok(1), .lost]))
        store.close()
        try #require(try run(["mount", "-o", "remount,ro", mount]).status == 0)
        #expect {
            _ = try Store.open(directory: mount, settings: settings, now: noon + .seconds(60))
        } throws: { error in
            guard let error = error as? StoreError, error.exitStatus == 78 else { return false }
            return "\(error)" == "cannot open \(mount)/tautline.db.lock: Read-only file system"
        }
        let reader = try StoreReader(path: mount + "/tautline.db")
        #expect(try reader.results(of: target("gw"), limit: 9).count == 2)
        #expect(try reader.wasStoppedCleanly())
    }

    @Test func aMissingDirectoryIsMadeAndAFileInItsPlaceIsRefused() throws {
        let scratch = Scratch()
        let deep = scratch.path + "/a/b"
        let store = try Store.open(directory: deep, settings: StorageSettings(), now: noon).store
        store.close()
        #expect(FileManager.default.fileExists(atPath: deep + "/tautline.db"))
        let file = scratch.path + "/file"
        _ = FileManager.default.createFile(atPath: file, contents: Data("x".utf8))
        #expect(throws: StoreError.self) {
            _ = try Store.open(directory: file, settings: StorageSettings(), now: noon)
        }
        #expect(try Data(contentsOf: URL(fileURLWithPath: file)) == Data("x".utf8))
    }
}
