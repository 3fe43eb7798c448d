// The thread of `taut watch` that asks, so that a daemon that hangs never holds up a key.

internal import Control
internal import LinuxSystem
internal import Model
internal import Storing
internal import Synchronization

/// Asks the daemon, else the database, again and again, and keeps the newest of each kind of news for the screen.
final class WatchFeed: Sendable {
    private struct Shared {
        var status: WatchNews?
        var detail: WatchNews?
        /// The target that is looked at, and the columns there are for its plot.
        var wanted: (target: String, columns: Int)?
        var isOver = false
    }

    /// How often a target's page is read anew: the database gets new rows every commit.
    private static let detailInterval: Int64 = 5_000_000_000
    private static let resultsForFailures = 500

    private let global: GlobalOptions
    private let interval: Int64
    /// Wakes the screen.
    private let screen: Waker
    private let waker: Waker
    private let shared = Mutex(Shared())

    private init(_ global: GlobalOptions, interval: Duration, screen: Waker) throws(SystemError) {
        self.global = global
        self.interval = interval.clampedNanoseconds
        self.screen = screen
        waker = try Waker()
    }

    /// - Parameter screen: woken when there is news.
    static func start(
        _ global: GlobalOptions, interval: Duration, screen: Waker
    ) throws(SystemError) -> WatchFeed {
        let feed = try WatchFeed(global, interval: interval, screen: screen)
        // Never joined: an end of the program does not wait for an answer.
        _ = try Thread.start(name: "watch", stackSize: 8 << 20) { feed.run() }
        return feed
    }

    /// Takes what is new, in the order in which it is to be applied.
    func take() -> [WatchNews] {
        shared.withLock { shared in
            defer { (shared.status, shared.detail) = (nil, nil) }
            return [shared.status, shared.detail].compactMap { $0 }
        }
    }

    /// Says which target is looked at; nil for none.
    func want(_ target: String?, columns: Int) {
        let isNew = shared.withLock { shared in
            let before = shared.wanted
            shared.wanted = target.map { ($0, columns) }
            return target != nil && (before?.target != target || before?.columns != columns)
        }
        if isNew { waker.wake() }
    }

    func end() {
        shared.withLock { $0.isOver = true }
        waker.wake()
    }

    private func run() {
        guard let loop = try? EventLoop(batch: 4, waker: waker) else { return }
        var nextStatus: Int64 = 0
        var nextDetail: Int64 = 0
        var report: StatusReport?
        var read: (target: String, columns: Int)?
        while true {
            let (isOver, wanted) = shared.withLock { ($0.isOver, $0.wanted) }
            if isOver { return }
            let now = Clock.monotonic()
            if now >= nextStatus {
                report = askStatus() ?? report
                // Counted from the begin, but never without a rest: a slow daemon is not asked at once again.
                nextStatus = max(now.addingSaturated(interval), Clock.monotonic().addingSaturated(interval / 4))
            }
            if let wanted, read?.target != wanted.target || read?.columns != wanted.columns || now >= nextDetail {
                post { $0.detail = .detail(detail(wanted.target, columns: wanted.columns, report)) }
                read = wanted
                nextDetail = Clock.monotonic().addingSaturated(Self.detailInterval)
            }
            if wanted == nil { read = nil }
            let deadline = wanted == nil ? nextStatus : min(nextStatus, nextDetail)
            guard (try? loop.wait(until: deadline) { _, _ in }) != nil else { return }
        }
    }

    private func post(_ change: (inout sending Shared) -> Void) {
        shared.withLock { change(&$0) }
        screen.wake()
    }

    private func askStatus() -> StatusReport? {
        do {
            let answer = try MonitorSource(global).status()
            let news = WatchAnswer(report: answer.report, note: answer.note, received: Clock.monotonic())
            post { $0.status = .answer(news) }
            return answer.report
        } catch {
            post { $0.status = .failure((error as? CommandError)?.description ?? "\(error)") }
            return nil
        }
    }

    private func detail(_ target: String, columns: Int, _ report: StatusReport?) -> WatchDetail {
        var detail = WatchDetail(target: target)
        let source = MonitorSource(global)
        let range = TimeRange(unchecked: source.now - .seconds(3_600), until: source.now)
        do {
            let step = GraphRenderer.step(for: range, columns: GraphRenderer.columns(width: columns))
            detail.history = try HistorySource(global).series(
                target, probe: nil, range: range, step: step, atLeastInterval: true)
            try addStory(to: &detail, reader: source.reader(), range: range)
        } catch {
            detail.problem = (error as? CommandError)?.description ?? "\(error)"
        }
        if report?.daemon.running == true, let found = report?.targets.first(where: { $0.target == target }) {
            // The report has the address that was probed last; users' traffic goes by the configured name.
            let configured = try? source.reader().targets().first { $0.id.rawValue == target }?.address
            detail.passive = passive([found.target, found.title, found.address, configured], source)
        }
        return detail
    }

    private func addStory(to detail: inout WatchDetail, reader: StoreReader, range: TimeRange) throws {
        guard let id = TargetID(rawValue: detail.target) else { return }
        let results = try reader.results(of: id, since: range.since, limit: Self.resultsForFailures)
        detail.failures = results.reversed().filter { $0.result.outcome.standing != .answered }.prefix(5).map {
            stored in
            WatchDetail.Failure(
                time: stored.result.sent, probe: stored.series.probe, outcome: stored.result.outcome.name,
                detail: stored.result.outcome.detail, note: stored.result.note)
        }
        detail.transitions = try reader.transitions(of: id, since: range.until - .seconds(7 * 86_400), limit: 10)
            .reversed()
        detail.events = try reader.events(since: range.until - .seconds(86_400), limit: 5).reversed()
    }

    /// What the packets that went by say of a service with one of these names.
    private func passive(_ names: [String?], _ source: MonitorSource) -> [FlowsReport.Row] {
        guard case .flows(let flows)? = try? source.client.send(.flows(by: .service)) else { return [] }
        let names = Set(names.compactMap { $0?.lowercased() }.filter { !$0.isEmpty })
        return Array(flows.rows.filter { names.contains($0.name?.lowercased() ?? "") }.prefix(8))
    }
}
