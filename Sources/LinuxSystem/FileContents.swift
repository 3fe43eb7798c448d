// Small files of the system, read whole and with a bound: /etc/resolv.conf, /etc/hosts, /proc.

internal import CLinux
internal import Glibc

/// Reads small files without Foundation.
public enum FileContents {
    /// The bytes of the file at `path`, at most `limit` of them; what lies behind the limit is not read.
    ///
    /// Throws the `SystemError` of `open` or `read`. A FIFO or device does not block: it is opened non-blocking.
    public static func read(path: String, limit: Int) throws(SystemError) -> [UInt8] {
        let file = try Syscall.descriptor("open", path) {
            unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: min(max(limit, 1), 16_384))
        while bytes.count < limit {
            let wanted = min(chunk.count, limit - bytes.count)
            let count = try Syscall.check("read", path) {
                unsafe chunk.withUnsafeMutableBytes { unsafe Glibc.read(file.rawValue, $0.baseAddress, wanted) }
            }
            if count == 0 { break }
            bytes.append(contentsOf: chunk[..<count])
        }
        return bytes
    }

    /// The same as text; bytes that are not UTF-8 become U+FFFD.
    public static func text(path: String, limit: Int) throws(SystemError) -> String {
        String(decoding: try read(path: path, limit: limit), as: UTF8.self)
    }

    /// The names in the directory at `path` without `.` and `..`, at most `limit` of them, in no order.
    public static func names(inDirectory path: String, limit: Int) throws(SystemError) -> [String] {
        guard let directory = unsafe opendir(path) else {
            throw SystemError(call: "opendir", errno: errno, context: path)
        }
        defer { unsafe closedir(directory) }
        var names: [String] = []
        while names.count < limit, let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { raw in
                unsafe String(decoding: unsafe raw.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }
}
