// Small files that a command is given, bounded.

internal import Foundation
internal import Glibc
internal import LinuxSystem

enum InputFile {
    /// Bytes read at most.
    static let maximumSize = 16 << 20

    /// A file, or standard input for `-`.
    static func open(_ path: String) throws -> FileHandle {
        if path == "-" { return .standardInput }
        let descriptor = unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw CommandError.failure("cannot read \(path): \(SystemError.message(of: errno))")
        }
        return FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    }

    /// The text of a file, or of standard input for `-`.
    static func text(_ path: String) throws -> String {
        let handle = try open(path)
        let data: Data
        do {
            data = try handle.read(upToCount: maximumSize + 1) ?? Data()
        } catch {
            throw CommandError.failure("cannot read \(path): \((error as NSError).localizedDescription)")
        }
        guard data.count <= maximumSize else { throw CommandError.failure("\(path) is larger than 16 MiB") }
        guard let text = String(data: data, encoding: .utf8) else { throw CommandError.failure("\(path) is not UTF-8") }
        return text
    }
}
