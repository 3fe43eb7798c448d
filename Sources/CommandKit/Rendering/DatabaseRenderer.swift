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
        lines.append(
            "\(Figures.count(figures.resultsADay)) results a day take \(Figures.bytes(figures.growthADay)) a day\(left)"
        )
        return lines
    }

    func json(_ figures: StoreFigures, file: String, generated: WallTime) -> JSONValue {
        .object([
            "schema": .string(DatabaseStatVerb.schema), "generated": .time(generated), "database": .string(file),
            "bytes": .integer(figures.databaseBytes), "free_bytes": .integer(figures.freeBytes),
            "log_bytes": .integer(figures.logBytes), "max_bytes": .optional(figures.maxSize),
            "series": .integer(figures.series), "results_a_day": .integer(figures.resultsADay),
            "growth_bytes_a_day": .integer(figures.growthADay), "days_left": .optional(figures.daysLeft),
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
            var text = "\(table.name): \(Figures.count(table.rows)) rows"
            if table.damaged > 0 {
                text += ", \(Figures.count(table.damaged)) damaged, such as \(table.examples.joined(separator: ", "))"
            }
            lines.append(HostileText.line(text))
        }
        let verdict =
            check.isSound
            ? "\(file) is sound"
            : "\(file) is damaged; damaged figures count as unknown, and `taut db recover` saves the rest"
        return lines + [HostileText.line(verdict)]
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
