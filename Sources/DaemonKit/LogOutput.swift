// One line an event on standard error, with the journal's priority prefix under systemd, and a bound on repetition.

internal import CLinux
internal import Logging
internal import Model
internal import Synchronization

/// The daemon's log handler: sanitised text, at most `LogBudget.perMinute` lines a call site and minute.
struct LogOutput: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level
    let toJournal: Bool
    let budget: LogBudget

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let site = "\(event.file):\(event.line)"
        guard let suppressed = budget.admit(site: site, now: Int64(time(nil))) else { return }
        var line = toJournal ? "<\(Self.priority(event.level))>" : "\(Self.stamp()) \(event.level) "
        line += Text.sanitised(event.message.description)
        let pairs = metadata.merging(event.metadata ?? [:]) { $1 }
        for (key, value) in pairs.sorted(by: { $0.key < $1.key }) {
            line += " \(Text.sanitised(key))=\(Text.sanitised("\(value)"))"
        }
        if suppressed > 0 { line += " (\(suppressed) more of these were not logged)" }
        line += "\n"
        // A full pipe or a closed terminal must not stop the monitor: what cannot be written is let go.
        let bytes = Array(line.utf8)
        _ = unsafe bytes.withUnsafeBytes { unsafe write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    /// The levels of syslog(3), which sd-daemon(3) takes as `<N>` at the start of a line.
    private static func priority(_ level: Logger.Level) -> Int {
        switch level {
        case .trace, .debug: 7
        case .info: 6
        case .notice: 5
        case .warning: 4
        case .error: 3
        case .critical: 2
        }
    }

    private static func stamp() -> String {
        var now = timespec()
        _ = unsafe clock_gettime(CLOCK_REALTIME, &now)
        return WallTime(seconds: Int64(now.tv_sec)).rfc3339
    }
}

/// Lines allowed a call site; what is held back is counted and told with the next line of that site.
final class LogBudget: Sendable {
    static let perMinute = 30
    /// Call sites are places in our own code, so their number is bounded; this guards the bound.
    private static let maximumSites = 1_024

    private struct Site {
        var minute: Int64
        var written: Int
        var held: Int
    }
    private let sites = Mutex<[String: Site]>([:])

    /// The number of lines held back since the last one written, or nil where this one must be held back too.
    func admit(site: String, now: Int64) -> Int? {
        sites.withLock { sites in
            let minute = now / 60
            var entry = sites[site] ?? Site(minute: minute, written: 0, held: 0)
            defer { if sites.count < Self.maximumSites || sites[site] != nil { sites[site] = entry } }
            if entry.minute != minute {
                entry.minute = minute
                entry.written = 0
            }
            guard entry.written < Self.perMinute else {
                entry.held += 1
                return nil
            }
            entry.written += 1
            defer { entry.held = 0 }
            return entry.held
        }
    }
}
