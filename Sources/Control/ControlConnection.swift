// One connection as the server sees it: bytes in until a newline, a reply out.

internal import CLinux
internal import Glibc
internal import LinuxSystem

/// The state of one connection; owned by the server's thread.
final class ControlConnection {
    let descriptor: OwnedDescriptor
    let peer: ControlPeer
    /// When it is closed unless something happens; CLOCK_MONOTONIC in nanoseconds.
    var deadline: Int64
    /// True from a complete request to its reply: nothing is read meanwhile.
    var isAnswering = false
    /// Close when the reply is written.
    var closesAfterReply = false
    private var input: [UInt8] = []
    private var output: [UInt8] = []
    private var written = 0

    init(descriptor: consuming OwnedDescriptor, peer: ControlPeer, deadline: Int64) {
        self.descriptor = descriptor
        self.peer = peer
        self.deadline = deadline
    }

    var hasOutput: Bool { written < output.count }

    enum Input {
        /// A line without its newline.
        case line([UInt8])
        case incomplete
        case tooLong
        case closed
    }

    /// Takes what has arrived, at most one request; what follows it stays for the next call.
    func read() -> Input {
        if let line = takeLine() { return .line(line) }
        var chunk = [UInt8](repeating: 0, count: 16_384)
        let number = descriptor.rawValue
        // A few reads a turn, so that one talkative peer does not hold the loop.
        for _ in 0..<4 {
            let result = Syscall.attempt {
                unsafe chunk.withUnsafeMutableBytes { unsafe recv(number, $0.baseAddress, $0.count, 0) }
            }
            switch result {
            case .value(0), .failed: return .closed
            case .wouldBlock: return .incomplete
            case .value(let count): input.append(contentsOf: chunk[..<count])
            }
            if let line = takeLine() { return .line(line) }
            if input.count >= ControlFrame.maximumRequest { return .tooLong }
        }
        return .incomplete
    }

    private func takeLine() -> [UInt8]? {
        guard let end = input.firstIndex(of: ControlFrame.newline) else { return nil }
        let line = Array(input[..<end])
        input.removeSubrange(...end)
        return line
    }

    func queue(_ bytes: [UInt8]) {
        output = bytes
        written = 0
        isAnswering = false
    }

    /// Writes what the socket takes. False where the peer is gone.
    func flush() -> Bool {
        let number = descriptor.rawValue
        while hasOutput {
            let start = written
            let result = Syscall.attempt {
                unsafe output.withUnsafeBytes { bytes in
                    let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[start...])
                    return unsafe send(number, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
                }
            }
            switch result {
            case .value(let count): written += count
            case .wouldBlock: return true
            case .failed: return false
            }
        }
        output = []
        written = 0
        return true
    }
}
