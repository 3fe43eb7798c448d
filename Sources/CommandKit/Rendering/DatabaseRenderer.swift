// `taut db stat`, `check` and `recover` as text and as JSON.

internal import Control
internal import Model
internal import Storing

struct DatabaseRenderer {
    var clock: LocalClock

    func lines(_ figures: StoreFigures, file: String, width: Int?, palette: Palette) -> [String] {
        let bound = figures.maxSize.map { " of at most \(Figures.bytes($0))" } ?? ""
        var lines = [
            HostileText.line(
                "\(file): \(Figures.bytes(figures.databaseBytes))\(bound), \(Figures.bytes(figures.freeBytes)) of it free, "
                    + "log \(Figures.bytes(figures.logBytes)), \(Figures.count(figures.series)) series")
        ]
        var table = Table([
            TableColumn("level"), TableColumn("rows", .trailing), TableColumn("results", .trailing),
            TableColumn("size", .trailing), TableColumn("bytes a result", .trailing), TableColumn("since"),
        ])
        for level in figures.levels {
            table.add([
                TableCell(level.name), TableCell(level.name == "other" ? "" : Figures.count(level.rows)),
                TableCell(level.results.map { Figures.count($0) } ?? ""), TableCell(Figures.bytes(level.bytes)),
                TableCell(level.perResult.map { Figures.fixed($0, 3) } ?? ""),
                TableCell(level.since.map { clock.full($0) } ?? ""),
            ])
        }
        lines += table.lines(width: width, palette: palette)
        let left =
            figures.daysLeft.map { "; room for \(Figures.count(Int64($0))) more days before the oldest results go" }
            ?? ""
        if let results = figures.resultsADay, let growth = figures.growthADay {
            lines.append("\(Figures.count(results)) results a day take \(Figures.bytes(growth)) a day\(left)")
        } else {
            lines.append("growth a day and days left: unknown until the first hour is complete")
        }
        return lines
    }

    func json(_ figures: StoreFigures, file: String, generated: WallTime) -> JSONValue {
        .object([
            "schema": .string(DatabaseStatVerb.schema), "generated": .time(generated), "database": .string(file),
            "bytes": .integer(figures.databaseBytes), "free_bytes": .integer(figures.freeBytes),
            "log_bytes": .integer(figures.logBytes), "max_bytes": .optional(figures.maxSize),
            "series": .integer(figures.series), "results_a_day": .optional(figures.resultsADay),
            "growth_bytes_a_day": .optional(figures.growthADay), "days_left": .optional(figures.daysLeft),
            "levels": .array(
                figures.levels.map { level in
                    .object([
                        "level": .string(level.name), "rows": .integer(level.rows), "results": .optional(level.results),
                        "bytes": .integer(level.bytes), "bytes_a_result": .optional(level.perResult),
                        "since": .time(level.since),
                    ])
                }),
        ])
    }

    func lines(_ check: StoreCheck, file: String) -> [String] {
        var lines = check.structure.map { HostileText.line("structure: \($0)") }
        for table in check.tables {
            // What is counted there are series, and what is found are hours and days.
            let areLevels = table.name == StoreCheck.levels
            var text = "\(table.name): \(Figures.count(table.rows)) \(areLevels ? "series" : "rows")"
            if table.damaged > 0 {
                let spans = table.damaged == 1 ? "hour or day" : "hours or days"
                let what = areLevels ? "\(spans) with fewer results in one level than in another" : "damaged"
                text +=
                    ", \(Figures.count(table.damaged)) \(what), such as \(table.examples.joined(separator: ", "))"
            }
            lines.append(HostileText.line(text))
        }
        return lines + [HostileText.line("\(file) \(DatabaseRenderer.verdict(check))")]
    }

    private static func verdict(_ check: StoreCheck) -> String {
        if check.isSound { return "is sound" }
        guard check.lacksResultsOnly else {
            return "is damaged; damaged figures count as unknown, and `taut db recover` saves the rest"
        }
        return "can be read whole, but lacks results that were lost to damage before, as after `taut db recover`: "
            + "they count as unknown where they are missing, and recovering again does not bring them back"
    }

    func json(_ check: StoreCheck, file: String, generated: WallTime) -> JSONValue {
        .object([
            "schema": .string(DatabaseCheckVerb.schema), "generated": .time(generated), "database": .string(file),
            "sound": .bool(check.isSound), "structure": .array(check.structure.map { .string($0) }),
            "tables": .array(
                check.tables.map { table in
                    .object([
                        "table": .string(table.name), "rows": .integer(table.rows), "damaged": .integer(table.damaged),
                        "examples": .array(table.examples.map { .string($0) }),
                    ])
                }),
        ])
    }

    func lines(_ recovery: StoreRecovery, into: String, width: Int?, palette: Palette) -> [String] {
        var table = Table([
            TableColumn("table"), TableColumn("saved", .trailing), TableColumn("refused", .trailing), TableColumn(""),
        ])
        for one in recovery.tables where one.rows > 0 || one.refused > 0 || one.isIncomplete {
            table.add([
                TableCell(one.name), TableCell(Figures.count(one.rows)), TableCell(Figures.count(one.refused)),
                TableCell(one.isIncomplete ? "part of it cannot be read" : "", .yellow),
            ])
        }
        return table.lines(width: width, palette: palette) + [HostileText.line("what could be saved is in \(into)")]
    }

    func json(_ recovery: StoreRecovery, into: String, generated: WallTime) -> JSONValue {
        .object([
            "schema": .string("taut/db-recover/1"), "generated": .time(generated), "database": .string(into),
            "tables": .array(
                recovery.tables.map { one in
                    .object([
                        "table": .string(one.name), "saved": .integer(one.rows), "refused": .integer(one.refused),
                        "complete": .bool(!one.isIncomplete),
                    ])
                }),
        ])
    }
}

extension StoreFigures.Level {
    /// Bytes a result; nil where the level holds none.
    var perResult: Double? {
        results.flatMap { $0 > 0 ? (Double(bytes) / Double($0) * 1000).rounded() / 1000 : nil }
    }
}
