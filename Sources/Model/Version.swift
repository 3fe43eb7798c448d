// The version of both programs.

/// The release this was built as, by semantic versioning; CHANGELOG.md says what is in it.
public enum Version {
    public static let current = "0.1.0"
}
