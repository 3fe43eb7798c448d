// Which notice may go now, which no longer needs to, and which closings are owed.

internal import LinuxSystem
internal import Model

/// The waiting notices and the memory of what hooks were told, both mirrored on disk. Confined to one thread.
///
/// Invariants: notices of one hook that share an incident or a target go in the order they came; a closing goes to every
/// hook whose run for the opening was ever started, and to no other.
struct DeliveryQueue {
    struct Entry {
        var message: HookMessage
        var notBefore: SuspendingClock.Instant
        var isRunning = false
        /// Some run of it began, so that someone may have been told, whatever came of the last attempt.
        var mayKnow = false

        /// A run was started, now or before a crash: the hook may know.
        var wasAttempted: Bool { message.attempt > 0 }
    }

    private struct Subject: Hashable {
        var hook: String
        var name: String
    }

    private struct Told: Hashable {
        var hook: String
        var incident: Int64
    }

    private var spool: HookSpool
    private let limits: HookLimits
    private(set) var entries: [Entry] = []
    private var told: [Told: UInt64] = [:]
    private var toldMessages: [UInt64: HookMessage] = [:]
    private var failedIDs: Set<String> = []
    private(set) var superseded: UInt64 = 0
    private(set) var dropped: UInt64 = 0
    /// Troubles to report, drained by the owner.
    var events: [HookEvent] = []

    init(spool: HookSpool, limits: HookLimits, now: SuspendingClock.Instant) {
        self.spool = spool
        self.limits = limits
        for message in self.spool.load(.told) { remember(message) }
        for message in self.spool.load(.pending) {
            // Stopped between delivery and its removal.
            if toldMessages.values.contains(where: { $0.notice.id == message.notice.id }) {
                self.spool.remove(message.sequence, from: .pending)
            } else {
                entries.append(Entry(message: message, notBefore: now, mayKnow: message.attempt > 0))
            }
        }
        failedIDs = Set(self.spool.load(.failed).map(\.notice.id))
        if self.spool.unreadable > 0 {
            events.append(.spoolTrouble(reason: "\(self.spool.unreadable) unreadable files were set aside"))
        }
    }

    var owed: Int { told.count }

    // MARK: - In

    /// Takes a notice in and writes it to the disk, unless it needs no delivery.
    mutating func accept(_ given: HookNotice, now: SuspendingClock.Instant) {
        var notice = given.bounded
        guard !isKnown(notice.id) else {
            superseded &+= 1
            return
        }
        if notice.event != .test {
            notice.opened.removeAll { isOpening($0, hook: notice.hook) != .unknown }
            notice.closed.removeAll { !needsClosing($0, hook: notice.hook) }
            guard !notice.opened.isEmpty || !notice.closed.isEmpty else {
                superseded &+= 1
                return
            }
        }
        let bound = notice.closed.isEmpty ? limits.pending : limits.pending * 2
        guard entries.count < bound else {
            drop(notice, "the spool holds \(entries.count) notices")
            return
        }
        var message = HookMessage(notice, attempt: 0)
        do {
            try spool.add(&message)
        } catch {
            // Delivered from memory all the same: a full disk must not silence the alert about it.
            events.append(.spoolTrouble(reason: error.description))
        }
        entries.append(Entry(message: message, notBefore: now))
    }

    /// Owes closings to hooks that were told of incidents which are no longer open; for the start, when the last run may
    /// have ended between closing an incident and spooling the notice of it.
    mutating func reconcile(open: Set<Int64>, wall: WallTime, now: SuspendingClock.Instant) {
        for entry in entries where !entry.wasAttempted {
            // Cancels openings that nobody was told of.
            for id in entry.message.notice.opened where !open.contains(id) {
                _ = needsClosing(id, hook: entry.message.notice.hook)
            }
        }
        for (key, sequence) in told.sorted(by: { $0.key.incident < $1.key.incident }) where !open.contains(key.incident)
        {
            guard var notice = toldMessages[sequence]?.notice else { continue }
            guard !entries.contains(where: { $0.message.notice.closes(key.incident, hook: key.hook) }) else { continue }
            if notice.event == .summary {
                notice.title = "incident \(key.incident)"
                notice.rule = ""
            }
            notice.id = "\(key.incident)-resolved-\(key.hook)"
            notice.event = .resolved
            notice.opened = []
            notice.closed = [key.incident]
            notice.until = wall
            notice.created = wall
            notice.reason = "closed while the monitor was stopping"
            accept(notice, now: now)
        }
    }

    private enum Opening { case unknown, waiting, attempted, told }

    private func isOpening(_ incident: Int64, hook: String) -> Opening {
        if told[Told(hook: hook, incident: incident)] != nil { return .told }
        for entry in entries where entry.message.notice.hook == hook && entry.message.notice.opened.contains(incident) {
            return entry.wasAttempted ? .attempted : .waiting
        }
        return .unknown
    }

    /// Whether a closing must go out; cancels an opening that nobody was told of yet.
    private mutating func needsClosing(_ incident: Int64, hook: String) -> Bool {
        switch isOpening(incident, hook: hook) {
        case .told, .attempted: return true
        case .unknown: return false
        case .waiting: break
        }
        for index in entries.indices.reversed() where entries[index].message.notice.hook == hook {
            guard entries[index].message.notice.opened.contains(incident) else { continue }
            entries[index].message.notice.opened.removeAll { $0 == incident }
            superseded &+= 1
            let message = entries[index].message
            if message.notice.opened.isEmpty, message.notice.closed.isEmpty {
                entries.remove(at: index)
                spool.remove(message.sequence, from: .pending)
            } else {
                write(message, to: .pending)
            }
        }
        return false
    }

    private func isKnown(_ id: String) -> Bool {
        failedIDs.contains(id) || entries.contains { $0.message.notice.id == id }
            || toldMessages.values.contains { $0.notice.id == id }
    }

    /// Puts given-up notices back to be tried anew; every one where `id` is nil.
    ///
    /// An opening goes only while all its incidents are open: a firing for what is over would be a false page, and no
    /// closing would follow it.
    mutating func replay(_ id: String?, open: Set<Int64>, now: SuspendingClock.Instant) -> HookReplay {
        var result = HookReplay()
        for given in spool.load(.failed) {
            let notice = given.notice
            result.known.append(notice.id)
            guard id == nil || notice.id == id else { continue }
            guard notice.opened.allSatisfy(open.contains) else {
                result.over.append(notice.id)
                continue
            }
            guard entries.count < limits.pending else {
                result.refused.append(notice.id)
                continue
            }
            // The hook may have been told before it failed; then the attempt counts, so that a closing still follows.
            let told = toldMessages.first { $0.value.notice.id == notice.id }?.key
            var message = HookMessage(notice, attempt: told == nil ? 0 : 1)
            do {
                try spool.add(&message)
            } catch {
                events.append(.spoolTrouble(reason: error.description))
                result.refused.append(notice.id)
                continue
            }
            // In this order: a crash in between leaves it told or given up, never lost.
            if let told {
                for incident in notice.opened { self.told[Told(hook: notice.hook, incident: incident)] = nil }
                toldMessages[told] = nil
                spool.remove(told, from: .told)
            }
            spool.remove(given.sequence, from: .failed)
            failedIDs.remove(notice.id)
            entries.append(Entry(message: message, notBefore: now, mayKnow: told != nil))
            result.queued.append(notice.id)
        }
        return result
    }

    // MARK: - Out

    /// The oldest notice that may go now, marked as running with its attempt counted on disk before it begins.
    mutating func next(now: SuspendingClock.Instant) -> HookMessage? {
        var blocked: Set<Subject> = []
        var runs: [String: Int] = [:]
        for entry in entries where entry.isRunning { runs[entry.message.notice.hook, default: 0] += 1 }
        for index in entries.indices {
            let notice = entries[index].message.notice
            let subjects = notice.subjects.map { Subject(hook: notice.hook, name: $0) }
            let isFree = !subjects.contains(where: blocked.contains)
            if !entries[index].isRunning, isFree, entries[index].notBefore <= now,
                runs[notice.hook, default: 0] < limits.perHook
            {
                entries[index].isRunning = true
                entries[index].message.attempt += 1
                write(entries[index].message, to: .pending)
                return entries[index].message
            }
            blocked.formUnion(subjects)
        }
        return nil
    }

    /// When the next notice may go that waits for time alone.
    var nextWake: SuspendingClock.Instant? { entries.lazy.filter { !$0.isRunning }.map(\.notBefore).min() }

    /// The hook took it: its openings are remembered, its closings no longer owed.
    mutating func delivered(_ sequence: UInt64) {
        guard let index = entries.firstIndex(where: { $0.message.sequence == sequence }) else { return }
        let message = entries.remove(at: index).message
        finish(message, isTold: true)
    }

    /// It failed: back into the queue, or given up. Returns whether it will be tried again.
    mutating func failed(
        _ sequence: UInt64, reason: String, attempts: Int, mayKnow: Bool, now: SuspendingClock.Instant
    ) -> Bool {
        guard let index = entries.firstIndex(where: { $0.message.sequence == sequence }) else { return false }
        entries[index].isRunning = false
        entries[index].mayKnow = entries[index].mayKnow || mayKnow
        let mayKnow = entries[index].mayKnow
        let message = entries[index].message
        if message.attempt < max(1, attempts) {
            entries[index].notBefore = now.advanced(by: pause(after: message.attempt))
            return true
        }
        entries.remove(at: index)
        write(message, to: .failed)
        failedIDs.insert(message.notice.id)
        let trimmed = spool.trim(.failed, to: limits.failed)
        if trimmed > 0 { failedIDs = Set(spool.load(.failed).map(\.notice.id)) }
        // A hook that ran may have told someone before it failed; a closing does no harm then.
        finish(message, isTold: mayKnow)
        return false
    }

    /// The daemon stops: the attempt counts, the notice stays.
    mutating func interrupted(_ sequence: UInt64) {
        guard let index = entries.firstIndex(where: { $0.message.sequence == sequence }) else { return }
        entries[index].isRunning = false
    }

    /// Its hook is no longer configured.
    mutating func abandon(_ sequence: UInt64, reason: String) {
        guard let index = entries.firstIndex(where: { $0.message.sequence == sequence }) else { return }
        let message = entries.remove(at: index).message
        finish(message, isTold: false)
        drop(message.notice, reason)
    }

    private mutating func finish(_ message: HookMessage, isTold: Bool) {
        if isTold, !message.notice.opened.isEmpty {
            write(message, to: .told)
            remember(message)
        }
        spool.remove(message.sequence, from: .pending)
        for incident in message.notice.closed { forget(Told(hook: message.notice.hook, incident: incident)) }
    }

    private mutating func remember(_ message: HookMessage) {
        toldMessages[message.sequence] = message
        for incident in message.notice.opened {
            told[Told(hook: message.notice.hook, incident: incident)] = message.sequence
        }
        while toldMessages.count > limits.told, let oldest = toldMessages.keys.min() {
            dropped &+= 1
            guard let message = toldMessages[oldest] else { break }
            for incident in message.notice.opened { told[Told(hook: message.notice.hook, incident: incident)] = nil }
            toldMessages[oldest] = nil
            spool.remove(oldest, from: .told)
        }
    }

    private mutating func forget(_ key: Told) {
        guard let sequence = told.removeValue(forKey: key), var message = toldMessages[sequence] else { return }
        message.notice.opened.removeAll { $0 == key.incident }
        if message.notice.opened.isEmpty {
            toldMessages[sequence] = nil
            spool.remove(sequence, from: .told)
        } else {
            toldMessages[sequence] = message
            write(message, to: .told)
        }
    }

    private mutating func drop(_ notice: HookNotice, _ reason: String) {
        dropped &+= 1
        events.append(.dropped(hook: notice.hook, notice: notice.id, reason: reason))
    }

    private mutating func write(_ message: HookMessage, to folder: HookSpool.Folder) {
        do {
            try spool.write(message, to: folder)
        } catch {
            events.append(.spoolTrouble(reason: error.description))
        }
    }

    private func pause(after attempt: Int) -> Duration {
        let doubled = limits.firstPause * (1 << min(max(0, attempt - 1), 20))
        return min(doubled, limits.longestPause) * Double.random(in: 0.75...1.25)
    }
}

extension HookNotice {
    /// What orders it against others of the same hook: its incidents, and its target.
    fileprivate var subjects: [String] {
        (opened + closed).map { "#\($0)" } + (target.map { [$0.rawValue] } ?? [])
    }

    fileprivate func closes(_ incident: Int64, hook: String) -> Bool { self.hook == hook && closed.contains(incident) }
}
