// Where answers come from: the running daemon if it speaks, else the database.

internal import Control
internal import Foundation
internal import Model
internal import Storing

/// The daemon's socket and the database, as one command uses them.
struct MonitorSource {
    var global: GlobalOptions
    var now: WallTime
    var timeZone: TimeZone

    /// Results of a target that a status from the database looks at, at most.
    private static let resultsPerTarget = 4 * StatusReport.window
    /// How far back a status from the database looks.
    private static let statusReach: Duration = .seconds(3_600)

    init(_ global: GlobalOptions) {
        self.global = global
        now = CommandContext.current.now()
        timeZone = CommandContext.current.timeZone
    }

    /// A status and what a reader must know of where it comes from.
    struct StatusAnswer {
        var report: StatusReport
        var note: String?
    }

    /// The daemon's status, or one made from the database. Fails with one sentence where neither can be had.
    func status() throws -> StatusAnswer {
        let failure: String
        do throws(ControlClientError) {
            let reply = try client.send(.status)
            switch reply {
            case .status(let report): return StatusAnswer(report: report, note: nil)
            case .failed(let why): failure = "the daemon declined: \(why.message)"
            default: failure = "the daemon's reply cannot be read"
            }
        } catch {
            failure = error.description
        }
        do {
            let reader = try StoreReader(path: global.db)
            let report = try storedStatus(reader)
            return StatusAnswer(report: report, note: try note(reader, failure: failure, report: report))
        } catch let error as StoreError {
            throw CommandError.failure("\(failure), and \(error)")
        }
    }

    func reader() throws -> StoreReader {
        do {
            return try StoreReader(path: global.db)
        } catch StoreError.notFound(let path) {
            throw CommandError.notFound("\(StoreError.notFound(path: path))")
        } catch {
            throw CommandError.failure(error.description)
        }
    }

    /// Asks the daemon for what only it can do; there is no way around it by the database.
    func ask(_ request: ControlRequest, timeout: Duration? = nil) throws -> ControlReply {
        let reply: ControlReply
        do throws(ControlClientError) {
            reply = try client.send(request, timeout: timeout)
        } catch {
            // A daemon that was stopped or is busy reads the request later.
            let hint = if case .timedOut = error { "; it may still do what was asked" } else { "" }
            throw CommandError.failure(error.description + hint)
        }
        if case .failed(let failure) = reply {
            let text = ([failure.message] + failure.details).joined(separator: "\n")
            throw failure.code == .notFound ? CommandError.notFound(text) : CommandError.failure(text)
        }
        return reply
    }

    var client: ControlClient { ControlClient(path: global.socket) }

    private func storedStatus(_ reader: StoreReader) throws -> StatusReport {
        let verdicts = try reader.verdicts()
        let lastWrite = try reader.lastWrite()
        let reach = min(lastWrite ?? now, now) - Self.statusReach
        let recent = try reader.recentResults(since: reach, limit: StatusReport.window)
        var targets: [StatusReport.Target] = []
        for stored in try reader.targets() {
            let results = try recent[stored.id] ?? reader.results(of: stored.id, limit: Self.resultsPerTarget)
            targets.append(
                StatusReport.Target(
                    Self.subject(stored), verdict: verdicts[stored.id], series: Self.series(results), now: now,
                    isLive: false))
        }
        let newest = targets.compactMap { $0.last?.t.time }.max()
        return StatusReport(
            generated: now, site: try reader.site(),
            daemon: StatusReport.Daemon(running: false, dataAge: newest.map { max(now - $0, .zero) }),
            targets: targets,
            incidentsOpen: try reader.incidents(openOnly: true).reversed().map { StatusReport.OpenIncident($0) },
            notices: try reader.events(since: now - .seconds(86_400), until: now, limit: 10)
                .reversed().map { StatusReport.Notice($0) },
            timeZone: timeZone)
    }

    private func note(_ reader: StoreReader, failure: String, report: StatusReport) throws -> String {
        let age =
            report.daemon.dataAge.map { "the newest data are \(Figures.span(seconds: $0)) old" }
            ?? "there are no data yet"
        let end = try reader.wasStoppedCleanly() ? "tautd was stopped" : failure
        return "from the database: \(end); \(age)"
    }

    static func subject(_ stored: StoredTarget) -> StatusReport.Subject {
        StatusReport.Subject(
            id: stored.id, title: stored.title, kind: stored.kind, site: stored.site,
            address: stored.address.isEmpty ? nil : stored.address, interval: stored.probes.map { $0.interval }.max())
    }

    /// Results by probe and address, oldest first in each.
    static func series(_ results: [StoredResult]) -> [StatusReport.ProbeSeries] {
        Dictionary(grouping: results) { $0.series }.map { key, values in
            StatusReport.ProbeSeries(
                probe: key.probe, kind: values.last?.kind, address: key.address,
                results: values.map { $0.result }.sorted { ($0.sent, $0.sequence) < ($1.sent, $1.sequence) })
        }
    }
}

/// Finding targets by what people type: the id, or the title in any case.
enum TargetLookup {
    static func find(_ text: String, in report: StatusReport) throws -> StatusReport.Target {
        if let target = report.targets.first(where: { $0.target == text }) { return target }
        let titled = report.targets.filter { $0.title.lowercased() == text.lowercased() }
        if titled.count == 1, let target = titled.first { return target }
        throw unknown(text, among: report.targets.flatMap { [$0.target, $0.title] })
    }

    static func find(_ text: String, in targets: [StoredTarget]) throws -> StoredTarget {
        if let target = targets.first(where: { $0.id.rawValue == text }) { return target }
        let titled = targets.filter { $0.title.lowercased() == text.lowercased() }
        if titled.count == 1, let target = titled.first { return target }
        throw unknown(text, among: targets.flatMap { [$0.id.rawValue, $0.title] })
    }

    /// Refuses a probe that the target is known not to have, and never had as far as results are stored.
    static func check(probe: String, of target: StoredTarget, in reader: StoreReader) throws {
        guard !target.probes.isEmpty, !target.probes.contains(where: { $0.id == probe }),
            try !reader.measuredProbes(of: target.id).contains(probe)
        else { return }
        let names = target.probes.map { $0.id }
        let hint = Suggestion.nearest(to: probe, among: names).map { "\"\($0)\"" } ?? names.joined(separator: ", ")
        throw CommandError.notFound("\(target.id) has no probe \"\(probe)\"; did you mean \(hint)?")
    }

    private static func unknown(_ text: String, among names: [String]) -> CommandError {
        if names.isEmpty { return .notFound("no target \"\(text)\": nothing is watched") }
        let hint = Suggestion.nearest(to: text, among: names).map { "; did you mean \"\($0)\"?" }
        return .notFound("no target \"\(text)\"\(hint ?? "; `taut status` lists them")")
    }
}
