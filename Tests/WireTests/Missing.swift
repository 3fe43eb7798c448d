import Testing

/// Thrown where a view should be there: `#require` does not take values that are tied to their bytes.
struct Missing: Error {}

/// `#expect` for conditions about such values, which its expansion cannot take apart.
func check(_ condition: Bool, _ comment: Comment? = nil, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(condition, comment, sourceLocation: sourceLocation)
}
