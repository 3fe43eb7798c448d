// Which programs may be run at all: the rule of OpenSSH's safe_path().

internal import CLinux
internal import Glibc
internal import LinuxSystem

/// Checks that nobody but root and ourselves could have put a program where it is.
public enum SafePath {
    /// Why the program at `path` may not be run; nil when it may.
    ///
    /// It must be an absolute path to an executable regular file (not a symbolic link), owned by root or by us and
    /// writable by its owner alone; and so must be every directory above it, both as written and with links resolved.
    public static func refusal(_ path: String) -> String? {
        guard path.hasPrefix("/"), !path.utf8.contains(0) else { return "\(path): not an absolute path" }
        guard path.utf8.count < 4_096 else { return "the path is longer than 4,095 bytes" }
        let parts = path.split(separator: "/", omittingEmptySubsequences: true)
        guard !parts.contains(where: { $0 == "." || $0 == ".." }), !parts.isEmpty, !path.hasSuffix("/") else {
            return "\(path): contains . or .., or names a directory"
        }
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { return "\(path): \(SystemError.message(of: errno))" }
        switch status.st_mode & S_IFMT {
        case S_IFREG: break
        case S_IFLNK: return "\(path): is a symbolic link"
        default: return "\(path): is not a regular file"
        }
        if let problem = problem(status, path) { return problem }
        guard unsafe access(path, X_OK) == 0 else { return "\(path): is not executable" }
        let directory = "/" + parts.dropLast().joined(separator: "/")
        if let problem = refusal(directory: directory) { return problem }
        guard let resolved = resolve(directory) else { return "\(directory): \(SystemError.message(of: errno))" }
        return resolved == directory ? nil : refusal(directory: resolved)
    }

    private static func refusal(directory: String) -> String? {
        var path = ""
        for part in [""] + directory.split(separator: "/").map(String.init) {
            path = part.isEmpty ? "/" : (path == "/" ? "/" + part : path + "/" + part)
            var status = stat()
            guard unsafe stat(path, &status) == 0 else { return "\(path): \(SystemError.message(of: errno))" }
            guard status.st_mode & S_IFMT == S_IFDIR else { return "\(path): is not a directory" }
            if let problem = problem(status, path) { return problem }
        }
        return nil
    }

    private static func problem(_ status: stat, _ path: String) -> String? {
        guard status.st_uid == 0 || status.st_uid == geteuid() else {
            return "\(path): is owned by user \(status.st_uid), not by root or us"
        }
        guard status.st_mode & (S_IWGRP | S_IWOTH) == 0 else { return "\(path): is writable by group or others" }
        return nil
    }

    private static func resolve(_ path: String) -> String? {
        guard let resolved = unsafe realpath(path, nil) else { return nil }
        defer { unsafe free(resolved) }
        return unsafe String(cString: resolved)
    }
}
