// Notices on disk until their hook has taken them: one JSON file each, renamed into place.

internal import Foundation
internal import Glibc
internal import LinuxSystem
internal import Model

/// The spool's three folders: `pending` (to be delivered), `told` (openings that were delivered and whose closing was
/// not: they are owed a closing) and `failed` (given up). Confined to one thread.
struct HookSpool {
    enum Folder: String, CaseIterable { case pending, told, failed }

    let directory: String
    private(set) var nextSequence: UInt64 = 1
    /// Files that could not be read at the start, set aside with the ending `.bad`.
    private(set) var unreadable = 0

    /// Creates the folders (mode 0700) where they are missing.
    init(directory: String) throws(SystemError) {
        self.directory = directory
        for path in [directory] + Folder.allCases.map({ directory + "/" + $0.rawValue }) {
            guard unsafe mkdir(path, 0o700) != 0, errno != EEXIST else { continue }
            throw SystemError(call: "mkdir", errno: errno, context: path)
        }
    }

    /// Everything in a folder, in the order it was spooled. Unreadable files are set aside, half-written ones removed.
    mutating func load(_ folder: Folder) -> [HookMessage] {
        let path = "\(directory)/\(folder.rawValue)"
        var result: [HookMessage] = []
        for name in (try? FileManager.default.contentsOfDirectory(atPath: path))?.sorted() ?? [] {
            if name.hasPrefix(".") {
                unsafe unlink("\(path)/\(name)")
                continue
            }
            guard name.hasSuffix(".json") else { continue }
            if let sequence = UInt64(name.dropLast(5)),
                let data = FileManager.default.contents(atPath: "\(path)/\(name)"),
                var message = try? HookMessage(json: Array(data))
            {
                message.sequence = sequence
                nextSequence = max(nextSequence, sequence.addingSaturated(1))
                result.append(message)
            } else {
                unreadable += 1
                _ = unsafe rename("\(path)/\(name)", "\(path)/\(name).bad")
            }
        }
        return result
    }

    /// Gives the message its place and writes it to the disk; it survives whatever comes when this returns.
    mutating func add(_ message: inout HookMessage) throws(SystemError) {
        message.sequence = nextSequence
        nextSequence = nextSequence.addingSaturated(1)
        try write(message, to: .pending)
    }

    func write(_ message: HookMessage, to folder: Folder) throws(SystemError) {
        let path = "\(directory)/\(folder.rawValue)"
        let name = Self.name(message.sequence)
        let temporary = "\(path)/.\(name)"
        let bytes = message.json()
        do {
            let file = try Syscall.descriptor("open", temporary) {
                unsafe open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
            }
            let number = file.rawValue
            var written = 0
            while written < bytes.count {
                written += try Syscall.check("write", temporary) {
                    unsafe bytes.withUnsafeBytes {
                        unsafe Glibc.write(number, $0.baseAddress?.advanced(by: written), $0.count - written)
                    }
                }
            }
            try Syscall.check("fsync", temporary) { fsync(number) }
            try Syscall.check("rename", temporary) { unsafe rename(temporary, "\(path)/\(name)") }
            try synchronise(path)
        } catch {
            unsafe unlink(temporary)
            throw error
        }
    }

    func remove(_ sequence: UInt64, from folder: Folder) {
        unsafe unlink("\(directory)/\(folder.rawValue)/\(Self.name(sequence))")
    }

    /// Removes the oldest files of a folder beyond `limit`; returns how many.
    func trim(_ folder: Folder, to limit: Int) -> Int {
        let path = "\(directory)/\(folder.rawValue)"
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).filter { !$0.hasPrefix(".") }
        let excess = max(0, names.count - limit)
        for name in names.sorted().prefix(excess) { unsafe unlink("\(path)/\(name)") }
        return excess
    }

    private func synchronise(_ path: String) throws(SystemError) {
        let folder = try Syscall.descriptor("open", path) { unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        let number = folder.rawValue
        try Syscall.check("fsync", path) { fsync(number) }
    }

    private static func name(_ sequence: UInt64) -> String {
        let digits = String(sequence)
        return String(repeating: "0", count: max(0, 20 - digits.count)) + digits + ".json"
    }
}
