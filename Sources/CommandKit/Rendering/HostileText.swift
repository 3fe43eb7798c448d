internal import Model

/// Lines made of many texts: `Text.sanitised` keeps 255 bytes, which a line of a report may exceed.
enum HostileText {
    /// The same escapes as `Text.sanitised`, for text of any length up to 4,096 scalars.
    static func line(_ text: some StringProtocol) -> String {
        var result = ""
        for scalar in text.unicodeScalars.prefix(4_096) {
            // The ASCII a report is mostly made of needs no look at the tables.
            if (0x20..<0x7F).contains(scalar.value) {
                result.unicodeScalars.append(scalar)
            } else {
                result += Text.sanitised(String(scalar))
            }
        }
        return result
    }
}
