// "Did you mean": the nearest of the words that would have been right.

/// Finds what a mistyped word was most likely meant to be.
enum Suggestion {
    /// Words longer than this are not compared: the cost grows with the square of the length.
    private static let maximumLength = 64

    /// The nearest candidate, where one is near enough to be meant: at most a third of the letters wrong.
    static func nearest(to word: String, among candidates: some Sequence<String>) -> String? {
        guard !word.isEmpty, word.count <= maximumLength else { return nil }
        let letters = Array(word.lowercased())
        var best: (distance: Int, word: String)?
        for candidate in candidates where candidate.count <= maximumLength {
            let distance = distance(letters, Array(candidate.lowercased()))
            guard distance <= max(1, max(letters.count, candidate.count) / 3) else { continue }
            if distance < (best?.distance ?? .max) { best = (distance, candidate) }
        }
        return best?.word
    }

    /// ` — did you mean "x"?`, or nothing where no candidate is near.
    static func clause(for word: String, among candidates: some Sequence<String>) -> String {
        nearest(to: word, among: candidates).map { " — did you mean \"\($0)\"?" } ?? ""
    }

    /// Edits (insert, delete, replace, swap of neighbours) that turn one word into the other: the optimal string
    /// alignment distance.
    private static func distance(_ a: [Character], _ b: [Character]) -> Int {
        var beforePrevious: [Int] = []
        var previous = Array(0...b.count)
        for (i, left) in a.enumerated() {
            var row = [i + 1]
            for (j, right) in b.enumerated() {
                var cost = min(previous[j + 1] + 1, row[j] + 1, previous[j] + (left == right ? 0 : 1))
                if i > 0, j > 0, left == b[j - 1], a[i - 1] == right { cost = min(cost, beforePrevious[j - 1] + 1) }
                row.append(cost)
            }
            beforePrevious = previous
            previous = row
        }
        return previous.last ?? a.count
    }
}
