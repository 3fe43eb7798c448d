// `taut db`: what the database takes, whether it is sound, saving and filling one.

internal import ArgumentParser
internal import Control
internal import Foundation
internal import Model
internal import Storing

struct DatabaseVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "db", abstract: "The database: its size, its health, rescue and import.",
        subcommands: [
            DatabaseStatVerb.self, DatabaseCheckVerb.self, DatabaseRecoverVerb.self, DatabaseImportVerb.self,
        ])
}

struct DatabaseStatVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stat", abstract: "Rows and bytes a sample by level, growth a day and days left.")
    static let schema = "taut/db-stat/1"

    @OptionGroup var global: GlobalOptions

    func run() throws {
        let reader = try MonitorSource(global).reader()
        let figures: StoreFigures
        do {
            figures = try reader.figures()
        } catch {
            throw CommandError.failure(error.description)
        }
        let console = global.console
        let renderer = DatabaseRenderer(clock: CommandContext.current.clock)
        if global.json {
            try console.json(renderer.json(figures, file: global.db, generated: CommandContext.current.now()))
        } else {
            try console.lines(renderer.lines(figures, file: global.db, width: console.width, palette: console.palette))
        }
    }
}

struct DatabaseCheckVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Reads the whole database and every checksum in it.",
        discussion: "Exit code 0 where all is sound, 1 where something is damaged. May run beside the daemon.")
    static let schema = "taut/db-check/1"

    @OptionGroup var global: GlobalOptions

    func run() throws {
        let reader = try MonitorSource(global).reader()
        let check: StoreCheck
        do {
            check = try reader.check()
        } catch {
            let hint = if case .corrupt = error { "; `taut db recover` saves what can be read" } else { "" }
            throw CommandError.failure(error.description + hint)
        }
        let console = global.console
        let renderer = DatabaseRenderer(clock: CommandContext.current.clock)
        if global.json {
            try console.json(renderer.json(check, file: global.db, generated: CommandContext.current.now()))
        } else {
            try console.lines(renderer.lines(check, file: global.db))
        }
        if !check.isSound { throw ExitCode(1) }
    }
}

struct DatabaseRecoverVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "recover", abstract: "Saves what can be read of a damaged database into a new one.",
        discussion: """
            The damaged file (--db) stays as it is; rows that fail their checksum are left out and counted. To go on with \
            what was saved, stop the daemon and put the new file in the old one's place.
            """)

    @OptionGroup var global: GlobalOptions

    @Argument(help: "The new database, which must not exist.", completion: .file())
    var into: String

    func run() throws {
        let recovery: StoreRecovery
        do {
            recovery = try StoreRecovery.run(from: global.db, to: into)
        } catch StoreError.notFound(let path) {
            throw CommandError.notFound("\(StoreError.notFound(path: path))")
        } catch {
            throw CommandError.failure(error.description)
        }
        let console = global.console
        let renderer = DatabaseRenderer(clock: CommandContext.current.clock)
        if global.json {
            try console.json(renderer.json(recovery, into: into, generated: CommandContext.current.now()))
        } else {
            try console.lines(renderer.lines(recovery, into: into, width: console.width, palette: console.palette))
        }
    }
}

struct DatabaseImportVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Makes a new database (--db) of what `taut export` wrote.",
        discussion: "Every level is built. JSON Lines or CSV, told apart by the first line; oldest first is fastest.")

    @OptionGroup var global: GlobalOptions

    @Argument(help: "The file, or - for standard input.", completion: .file())
    var file: String

    func validate() throws {
        if global.db == GlobalOptions.defaultDatabase {
            throw ValidationError("--db names the new database; the daemon's own is never imported into")
        }
    }

    func run() throws {
        var source = try ImportSource(file)
        let console = global.console
        do {
            let target = try StoreImport(path: global.db)
            var isWhole = false
            defer { if !isWhole { target.discard() } }
            while let line = try source.next() {
                try target.add(line.result, of: line.series, kind: line.kind)
                if target.count % 100_000 == 0 {
                    console.progress?(
                        "\(Figures.count(target.count)) results, \(line.result.sent.rfc3339(fractionDigits: 0))")
                }
            }
            try target.finish()
            console.progress?("")
            guard target.count > 0 else { throw CommandError.notFound("\(file) holds no result") }
            isWhole = true
            if global.json {
                try console.json(
                    .object([
                        "schema": .string("taut/db-import/1"), "generated": .time(CommandContext.current.now()),
                        "database": .string(global.db), "results": .integer(target.count),
                    ]))
            } else {
                try console.line(HostileText.line("\(Figures.count(target.count)) results are in \(global.db)"))
            }
        } catch let error as StoreError {
            console.progress?("")
            throw CommandError.failure(error.description)
        }
    }
}

/// The lines of a file or of standard input, each read as a result.
struct ImportSource {
    /// Bytes of one line, at most.
    private static let maximumLine = 1 << 16

    private let name: String
    private let handle: FileHandle
    private var buffer: [UInt8] = []
    private var start = 0
    private var isAtEnd = false
    private var number = 0
    private var columns: [String]?

    init(_ path: String) throws {
        name = path
        handle = try InputFile.open(path)
    }

    /// The next result; nil at the end. Fails with the number of the line that cannot be read.
    mutating func next() throws -> ImportLine? {
        while let line = try nextLine() {
            number += 1
            if line.allSatisfy({ $0 == " " || $0 == "\r" }) { continue }
            do throws(ImportLine.Problem) {
                if let columns { return try ImportLine(csv: line, columns: columns) }
                if line.first == "{" { return try ImportLine(json: line) }
            } catch {
                throw CommandError.failure(HostileText.line("\(name):\(number): \(error)"))
            }
            let header = ImportLine.cells(line)
            guard number == 1, header.starts(with: ["t", "target", "probe"]) else {
                throw CommandError.failure(
                    HostileText.line(
                        "\(name):\(number): expected a JSON object, or the header that `taut export` writes"))
            }
            columns = header
        }
        return nil
    }

    private mutating func nextLine() throws -> String? {
        while true {
            if let end = buffer[start...].firstIndex(of: 0x0A) {
                defer { start = end + 1 }
                return String(decoding: buffer[start..<end], as: UTF8.self)
            }
            if isAtEnd {
                defer { start = buffer.count }
                return start < buffer.count ? String(decoding: buffer[start...], as: UTF8.self) : nil
            }
            guard buffer.count - start <= ImportSource.maximumLine else {
                throw CommandError.failure(HostileText.line("\(name):\(number + 1): the line is longer than 64 KiB"))
            }
            buffer.removeFirst(start)
            start = 0
            let data: Data
            do {
                // Nil is the end.
                data = try handle.read(upToCount: 1 << 18) ?? Data()
            } catch {
                let reason = (error as NSError).localizedDescription
                throw CommandError.failure(HostileText.line("cannot read \(name): \(reason)"))
            }
            if data.isEmpty { isAtEnd = true } else { buffer.append(contentsOf: data) }
        }
    }
}
