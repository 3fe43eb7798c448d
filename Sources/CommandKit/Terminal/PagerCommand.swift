// Which program shows long answers.

internal import Glibc

/// A pager and its surroundings.
struct PagerCommand: Hashable, Sendable {
    /// The words of the command; `sh -c` where it is more than words.
    var arguments: [String]
    /// The whole environment of the pager.
    var environment: [String: String]

    /// `TAUT_PAGER`, else `PAGER`, else less; nil where none is wanted, which an empty name or `cat` says.
    ///
    /// With privilege that is not the caller's own, less and nothing else, without its ways to run programs and to write
    /// files: whoever may run `sudo taut status` must not get a shell by it. less(1), SECURITY.
    init?(_ variables: [String: String], isElevated: Bool) {
        let command = isElevated ? "less" : variables["TAUT_PAGER"] ?? variables["PAGER"] ?? "less"
        let words = command.split(separator: " ").map { String($0) }
        guard !words.isEmpty, words != ["cat"] else { return nil }
        let isPlain = !command.contains { "|&;<>()$`\\\"'*?[]#~=%{}!\t\n".contains($0) }
        arguments = isPlain ? words : ["sh", "-c", command]
        environment = variables
        // -F: where one screen is enough, nothing to leave; -R: colours; -X: the text stays on the screen.
        if variables["LESS"] == nil || isElevated { environment["LESS"] = "FRX" }
        if variables["LV"] == nil { environment["LV"] = "-c" }
        // Our blocks and signs are UTF-8 in every locale.
        if variables["LESSCHARSET"] == nil { environment["LESSCHARSET"] = "utf-8" }
        guard isElevated else { return }
        environment["LESSSECURE"] = "1"
        for name in variables.keys where name.hasPrefix("LESS") && !["LESS", "LESSCHARSET"].contains(name) {
            environment[name] = name == "LESSSECURE" ? "1" : nil
        }
    }

    /// Whether this process may do more than the user who called it.
    static func isElevated(_ variables: [String: String]) -> Bool {
        getuid() != geteuid() || getgid() != getegid()
            || ["SUDO_UID", "SUDO_COMMAND", "DOAS_USER", "PKEXEC_UID"].contains { variables[$0] != nil }
    }
}
