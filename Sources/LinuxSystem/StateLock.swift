// One daemon a state directory.

internal import CLinux
internal import Glibc

/// Why a lock was not taken.
public enum StateLockError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Another process holds it; its pid where the file says so.
    case held(pid: Int32?)
    case system(SystemError)

    public var description: String {
        switch self {
        case .held(let pid?): "another tautd (pid \(pid)) uses this state directory"
        case .held(nil): "another tautd uses this state directory"
        case .system(let error): error.description
        }
    }
}

/// An exclusive lock on a file, held until this value goes or the process ends, however it ends.
public final class StateLock: Sendable {
    private let descriptor: OwnedDescriptor

    private init(descriptor: consuming OwnedDescriptor) {
        self.descriptor = descriptor
    }

    deinit {
        // A child between fork and exec holds the open file too, so closing ours would not end the lock at once.
        let number = descriptor.rawValue
        _ = Syscall.attempt { flock(number, LOCK_UN) }
    }

    /// Takes the lock at `path` (made where it is missing, mode 0640) without waiting, and writes our pid into it.
    ///
    /// The file stays behind: removing it would let two processes lock two files of one name. The lock is flock(2)'s,
    /// which belongs to the open file, is not inherited across exec, and cannot be lost by closing another descriptor.
    public static func acquire(path: String) throws(StateLockError) -> StateLock {
        do {
            let flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW
            let file = try Syscall.descriptor("open", path) { unsafe taut_open(path, flags, 0o640) }
            let number = file.rawValue
            switch Syscall.attempt({ flock(number, LOCK_EX | LOCK_NB) }) {
            case .value: break
            case .wouldBlock: throw StateLockError.held(pid: holder(number))
            case .failed(let code): throw SystemError(call: "flock", errno: code, context: path)
            }
            // The pid is for people; the lock holds without it, so a full disk is no reason not to start.
            _ = Syscall.attempt { ftruncate(number, 0) }
            let text = [UInt8]("\(getpid())\n".utf8)
            _ = Syscall.attempt { unsafe text.withUnsafeBytes { unsafe pwrite(number, $0.baseAddress, $0.count, 0) } }
            return StateLock(descriptor: file)
        } catch let error as StateLockError {
            throw error
        } catch let error as SystemError {
            throw .system(error)
        } catch {
            throw .held(pid: nil)
        }
    }

    private static func holder(_ file: Int32) -> Int32? {
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = unsafe bytes.withUnsafeMutableBytes { unsafe pread(file, $0.baseAddress, $0.count, 0) }
        guard count > 0 else { return nil }
        return Int32(String(decoding: bytes[..<count].prefix { $0 != 10 }, as: UTF8.self))
    }
}
