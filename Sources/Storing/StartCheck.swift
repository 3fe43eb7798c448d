// The check of a large file after an unclean stop, beside the writer: no probe and no commit waits for it.

internal import GRDB
internal import Glibc
internal import LinuxSystem
public import Model
internal import Synchronization

/// One `quick_check` on a thread and a read-only connection of its own. It reads the whole file once, some seconds a
/// gigabyte, and takes the processor only when nothing else wants it.
final class StartCheck: Sendable {
    enum Verdict: Hashable, Sendable {
        case sound(seconds: Double)
        case damaged(String)
        /// The check itself failed, which says nothing about the file.
        case failed(String)
    }

    private struct State {
        var queue: DatabaseQueue?
        var verdict: Verdict?
        var isCancelled = false
    }

    private let path: String
    private let waker: Waker
    private let state = Mutex(State())
    private let thread = Mutex<Thread?>(nil)

    init(path: String, waker: Waker) {
        self.path = path
        self.waker = waker
    }

    /// Begins; where no thread is to be had, the verdict says so.
    func start() {
        thread.withLock { thread in
            guard thread == nil else { return }
            do {
                thread = try Thread.start(name: "store-check") { self.run() }
            } catch {
                state.withLock { $0.verdict = .failed("\(error)") }
            }
        }
    }

    /// The verdict, once.
    func takeVerdict() -> Verdict? {
        state.withLock { state in
            defer { state.verdict = nil }
            return state.verdict
        }
    }

    /// Ends it, whatever it has come to.
    func cancel() {
        state.withLock { $0.isCancelled = true }
        // An interrupt that comes just before the statement begins has no effect, so it is made until there is nothing more to
        // end.
        while let queue = state.withLock({ $0.queue }) {
            queue.interrupt()
            var pause = timespec(tv_sec: 0, tv_nsec: 5_000_000)
            unsafe nanosleep(&pause, nil)
        }
        thread.withLock { $0 }?.join()
    }

    private func run() {
        // Refused under a strict sandbox, and then it runs like the others.
        _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 19)
        let began = Clock.monotonic()
        let verdict: Verdict?
        do {
            let answer = try answer()
            let seconds = Double(Clock.monotonic() - began) / 1e9
            verdict = answer.map { $0 == "ok" ? .sound(seconds: seconds) : .damaged($0) }
        } catch {
            verdict = Writer.isDamage(error) ? .damaged("\(error)") : .failed("\(error)")
        }
        state.withLock { state in
            state.queue = nil
            if !state.isCancelled { state.verdict = verdict }
        }
        waker.wake()
    }

    /// What SQLite says; nil where nobody wants to know any more.
    private func answer() throws -> String? {
        let queue = try Connection.reader(path: path)
        let isWanted = state.withLock { state in
            if !state.isCancelled { state.queue = queue }
            return !state.isCancelled
        }
        guard isWanted else { return nil }
        return try queue.read { try String.fetchOne($0, sql: "PRAGMA quick_check(1)") } ?? "no answer"
    }
}

extension Store {
    /// What the writer found out since the last call, for those who show it; it is stored already.
    public func takeNews() -> [MonitorEvent] {
        news.withLock { news in
            defer { news = [] }
            return news
        }
    }

    func tell(_ event: MonitorEvent) {
        news.withLock { if $0.count < 100 { $0.append(event) } }
    }

    /// Acts on the verdict of the check, where there is one now.
    func heedCheck() {
        guard let verdict = startCheck?.takeVerdict() else { return }
        let now = clock()
        switch verdict {
        case .sound(let seconds):
            let text =
                "the database was checked after the unclean stop and is sound (\(Int(seconds.rounded(.up))) s)"
            let event = MonitorEvent(kind: .databaseChecked, start: now, text: text)
            queue.offer(.event(event))
            tell(event)
        case .failed(let reason):
            let event = MonitorEvent(
                kind: .databaseChecked, start: now,
                text: "the database could not be checked after the unclean stop: \(reason)")
            queue.offer(.event(event))
            tell(event)
        case .damaged(let reason): setAside(reason: reason, now: now)
        }
    }

    /// Sets the damaged file aside and goes on in a new one.
    func setAside(reason: String, now: WallTime) {
        do {
            let events = try state.withLock {
                try $0?.startAnew(reason: reason, now: now, monotonic: Clock.monotonic()) ?? []
            }
            for event in events { tell(event) }
        } catch {
            noteFailure(error)
        }
    }
}
