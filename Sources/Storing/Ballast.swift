// A file that takes up room until the disk is full: then it goes, and the purge has room to work in.

internal import Glibc
internal import LinuxSystem

/// The file beside the database; SQLite needs some room in its log even to delete.
struct Ballast {
    /// Enough for the log of a few commits and of a slice of deleted rows.
    static let bytes: Int64 = 4 << 20

    var files: StateFiles

    var isThere: Bool { StateFiles.size(files.ballast) >= Ballast.bytes }

    /// Gives the room back.
    func release() { _ = Syscall.attempt { unsafe unlink(files.ballast) } }

    /// Takes the room where the disk has plenty left; without it nothing else changes.
    func restore() {
        guard !isThere, let free = freeBytes(), free >= 16 * Ballast.bytes else { return }
        let path = files.ballast
        do {
            let file = try Syscall.descriptor("open") {
                unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, StateFiles.fileMode)
            }
            if posix_fallocate(file.rawValue, 0, off_t(Ballast.bytes)) != 0 { release() }
        } catch {
            // Next time, perhaps.
            return
        }
    }

    private func freeBytes() -> Int64? {
        var status = statvfs()
        guard case .value = Syscall.attempt({ unsafe statvfs(files.directory, &status) }) else { return nil }
        return Int64(clamping: status.f_bavail).multipliedReportingOverflow(by: Int64(clamping: status.f_frsize))
            .partialValue
    }
}
