// Reading a file that may be anything: a pipe, a device, a gigabyte.

internal import Glibc

/// Reads regular files of a bounded size.
enum BoundedFile {
    /// Why a file could not be read, as a clause: `No such file or directory`.
    struct Refusal: Error {
        var clause: String
        var isMissing = false
    }

    /// The bytes of a regular file of at most `limit` bytes. Never blocks on a pipe or a device.
    static func read(_ path: String, limit: Int) throws(Refusal) -> [UInt8] {
        guard !path.utf8.contains(0) else { throw Refusal(clause: "the path holds a NUL character") }
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw failure(errno) }
        defer { close(descriptor) }
        var info = stat()
        guard unsafe fstat(descriptor, &info) == 0 else { throw failure(errno) }
        guard info.st_mode & S_IFMT == S_IFREG else { throw Refusal(clause: "not a regular file") }
        guard info.st_size <= limit else { throw tooLarge(limit) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = unsafe buffer.withUnsafeMutableBytes { space in
                unsafe Glibc.read(descriptor, space.baseAddress, space.count)
            }
            if count < 0 {
                if errno == EINTR { continue }
                throw failure(errno)
            }
            if count == 0 { return bytes }
            bytes += buffer.prefix(count)
            guard bytes.count <= limit else { throw tooLarge(limit) }
        }
    }

    /// Names in a directory, sorted by their bytes; nil where the directory does not exist.
    static func names(in directory: String) throws(Refusal) -> [String]? {
        guard let stream = unsafe opendir(directory) else {
            let code = errno
            if code == ENOENT { return nil }
            throw failure(code)
        }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while let entry = unsafe readdir(stream) {
            // POSIX ends d_name with a NUL within its 256 bytes.
            let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            names.append(name)
        }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    private static func tooLarge(_ limit: Int) -> Refusal {
        Refusal(clause: "larger than \(Quantity.text(bytes: Int64(limit)))")
    }

    private static func failure(_ code: Int32) -> Refusal {
        let text = unsafe strerror(code).map { unsafe String(cString: $0) } ?? "error \(code)"
        return Refusal(clause: text, isMissing: code == ENOENT)
    }
}
