// The files of a database in its directory: modes, setting aside, sizes.

internal import Foundation
internal import Glibc
internal import LinuxSystem
internal import Model

/// The database file with its write-ahead log and shared memory.
struct StateFiles: Sendable {
    static let fileMode: mode_t = 0o640
    static let directoryMode = 0o750

    let directory: String

    var database: String { directory + "/tautline.db" }
    /// Room that is set aside for the day on which the disk is full.
    var ballast: String { directory + "/tautline.db.ballast" }
    var lock: String { directory + "/tautline.db.lock" }
    private static let suffixes = ["", "-wal", "-shm"]

    /// Removes a database that nobody has open.
    static func remove(databaseAt path: String) {
        for suffix in suffixes { _ = unsafe unlink(path + suffix) }
    }

    /// Makes the directory where it is missing.
    func makeDirectory() throws(StoreError) {
        do {
            try FileManager.default.createDirectory(
                atPath: directory, withIntermediateDirectories: true,
                attributes: [.posixPermissions: StateFiles.directoryMode])
        } catch {
            throw .cannotOpen(path: directory, reason: StateFiles.reason(error))
        }
    }

    /// Makes the database file where it is missing and lets the group read it; SQLite gives its other files the mode of
    /// this one.
    func prepare() throws(StoreError) {
        let path = database
        do {
            let file = try Syscall.descriptor("open") {
                unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, StateFiles.fileMode)
            }
            // Fails for a file of another owner, whose mode is then theirs to choose.
            _ = Syscall.attempt { fchmod(file.rawValue, StateFiles.fileMode) }
        } catch {
            throw .cannotOpen(path: path, reason: error.message)
        }
        for suffix in StateFiles.suffixes.dropFirst() {
            _ = Syscall.attempt { unsafe chmod(path + suffix, StateFiles.fileMode) }
        }
    }

    /// Renames the database's files to `tautline.db.corrupt-<time>…` and returns the new path; nothing is deleted.
    func setAside(at now: WallTime) throws(StoreError) -> String {
        var name = database + ".corrupt-" + StateFiles.stamp(now)
        var attempt = 1
        while StateFiles.exists(name) {
            attempt += 1
            name = database + ".corrupt-" + StateFiles.stamp(now) + "-\(attempt)"
        }
        // The log goes before the database: a log left behind would be replayed into the new file.
        for suffix in StateFiles.suffixes.reversed() where StateFiles.exists(database + suffix) {
            let (old, new) = (database + suffix, name + suffix)
            do {
                try Syscall.check("rename", old) { unsafe rename(old, new) }
            } catch {
                throw .cannotOpen(path: old, reason: error.message)
            }
        }
        return name
    }

    /// Bytes of the database file and of its log.
    var sizes: (database: Int64, log: Int64) {
        (StateFiles.size(database), StateFiles.size(database + "-wal"))
    }

    static func size(_ path: String) -> Int64 {
        var status = stat()
        guard case .value = Syscall.attempt({ unsafe stat(path, &status) }) else { return 0 }
        return Int64(status.st_size)
    }

    static func exists(_ path: String) -> Bool {
        var status = stat()
        if case .value = Syscall.attempt({ unsafe lstat(path, &status) }) { return true }
        return false
    }

    /// `20261124T040000Z`.
    static func stamp(_ time: WallTime) -> String {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(secondsFromGMT: 0)
        formatter.dateFormat = "yyyyMMdd'T'HHmmss'Z'"
        return formatter.string(from: Date(timeIntervalSince1970: Double(time.seconds)))
    }

    static func reason(_ error: any Error) -> String {
        let underlying = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError
        let posix = [underlying, error as NSError].compactMap { $0 }.first { $0.domain == NSPOSIXErrorDomain }
        return posix.map { SystemError.message(of: Int32(truncatingIfNeeded: $0.code)) } ?? error.localizedDescription
    }
}
