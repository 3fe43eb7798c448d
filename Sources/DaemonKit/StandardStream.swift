// Plain output before there is a log.

internal import CLinux

/// Standard output or standard error, written without a buffer of our own.
enum StandardStream: Int32 {
    case output = 1
    case error = 2

    func write(_ text: String) {
        let bytes = Array(text.utf8)
        // Nothing can be said about a stream that is closed.
        _ = unsafe bytes.withUnsafeBytes { unsafe CLinux.write(rawValue, $0.baseAddress, $0.count) }
    }
}
