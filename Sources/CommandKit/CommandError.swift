/// A failure with the sentence that the user reads and the exit code of the contract.
struct CommandError: Error, Hashable, CustomStringConvertible {
    /// One line or a few, without "error:" and without a final newline.
    var description: String
    /// 1 failure, 2 not found or no data, 64 usage.
    var code: Int32

    static func failure(_ text: String) -> CommandError { CommandError(description: text, code: 1) }
    static func notFound(_ text: String) -> CommandError { CommandError(description: text, code: 2) }
    static func usage(_ text: String) -> CommandError { CommandError(description: text, code: 64) }
}
