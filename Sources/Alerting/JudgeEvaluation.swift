// The decision for one target: its own rounds first, then whether something on the way to it is to blame.

import Model

/// What stands between a failing target and the word "down".
enum Clearance: Hashable {
    case clear
    case wait
    case hidden(Basis)
}

extension Judge {
    /// Decides the state of one target anew, and of those beyond it when it changes.
    mutating func evaluate(
        _ slot: Int, now: WallTime, monotonic: MonotonicTime, into transitions: inout [Transition]
    ) {
        let view = tracks[slot].view(at: monotonic)
        if view != .failing { clearPending(slot) }
        switch view {
        case .undecided: break
        case .answering: recover(slot, to: .up, .answering, now: now, monotonic: monotonic, into: &transitions)
        case .degraded(let basis):
            recover(slot, to: .degraded, basis, now: now, monotonic: monotonic, into: &transitions)
        case .partial: recover(slot, to: .degraded, .partial, now: now, monotonic: monotonic, into: &transitions)
        case .unknown(let basis): set(slot, .unknown, basis, now: now, monotonic: monotonic, into: &transitions)
        case .failing: fail(slot, now: now, monotonic: monotonic, into: &transitions)
        }
    }

    /// Weighs again every target whose fate hung on others.
    mutating func evaluateWaiting(now: WallTime, monotonic: MonotonicTime, into transitions: inout [Transition]) {
        for slot in pending.sorted() where pending.contains(slot) {
            evaluate(slot, now: now, monotonic: monotonic, into: &transitions)
        }
    }

    private mutating func clearPending(_ slot: Int) {
        tracks[slot].pendingSince = nil
        pending.remove(slot)
    }

    private mutating func recover(
        _ slot: Int, to state: TargetState, _ basis: Basis, now: WallTime, monotonic: MonotonicTime,
        into transitions: inout [Transition]
    ) {
        let track = tracks[slot]
        let wasDown = track.state == .down || (track.state == .unknown && track.lastDefinite == .down)
        if wasDown, track.answers < max(1, track.spec.judgement.upAfter) { return }
        // The rounds of what is over are not loss on a path that works.
        let isOver = track.state == .down || track.state == .unknown || (track.basis == .partial && basis != .partial)
        if isOver { tracks[slot].forgetWindows() }
        let calm = isOver && basis != .partial
        set(
            slot, calm ? .up : state, calm ? .answering : basis, now: now, monotonic: monotonic, into: &transitions)
    }

    private mutating func fail(
        _ slot: Int, now: WallTime, monotonic: MonotonicTime, into transitions: inout [Transition]
    ) {
        if tracks[slot].pendingSince == nil { tracks[slot].pendingSince = monotonic }
        switch clearance(slot, monotonic: monotonic) {
        case .clear:
            clearPending(slot)
            set(slot, .down, .failing, now: now, monotonic: monotonic, into: &transitions)
        case .wait:
            pending.insert(slot)
        case .hidden(let basis):
            // It stays among the waiting: what hides it may come back without another round of its own.
            pending.insert(slot)
            set(slot, .unknown, basis, now: now, monotonic: monotonic, into: &transitions)
        }
    }

    private func clearance(_ slot: Int, monotonic: MonotonicTime) -> Clearance {
        let track = tracks[slot]
        if track.provesPath { return .clear }
        guard let decided = track.decided, let newestFailure = track.lastFailed else { return .wait }
        var waits = false
        for parent in track.parents {
            let above = tracks[parent]
            guard above.hasAnswered || above.lastDefinite == .up || above.lastDefinite == .degraded else { continue }
            if above.state == .down { return .hidden(.hidden(by: above.spec.id)) }
            if above.isHidden { return .hidden(above.basis) }
            if track.state == .down { continue }
            if above.vouches(since: decided, newestFailure: newestFailure) { continue }
            let waited = monotonic - (track.pendingSince ?? monotonic)
            if waited > above.confirmation {
                if above.isAnswering, !above.isStale(at: monotonic) { continue }
                return .hidden(.hidden(by: above.spec.id))
            }
            waits = true
        }
        if track.isOffHost, fault != nil { return .hidden(.uplink) }
        if waits { return .wait }
        return track.state == .down
            ? .clear : uplinkClearance(slot, decided: decided, newestFailure: newestFailure, monotonic: monotonic)
    }

    mutating func set(
        _ slot: Int, _ state: TargetState, _ basis: Basis, now: WallTime, monotonic: MonotonicTime,
        into transitions: inout [Transition]
    ) {
        let from = tracks[slot].state
        if from == state {
            tracks[slot].basis = basis
            return
        }
        let wasHidden = tracks[slot].isHidden
        let began = min(began(slot, state, basis) ?? now, now)
        tracks[slot].since = from == .unknown ? resumed(slot, state, began: began, now: now) : began
        tracks[slot].state = state
        tracks[slot].basis = basis
        if state != .unknown { tracks[slot].lastDefinite = state }
        transitions.append(Transition(target: tracks[slot].spec.id, from: from, verdict: verdict(of: slot)))
        let isBack = state == .up || state == .degraded
        for child in tracks[slot].children where child != slot {
            if isBack, from == .down || wasHidden, tracks[child].state != .down {
                // The child's failures date from when it could not be seen; only later ones count.
                tracks[child].forgetFailures()
                pending.remove(child)
            }
            guard tracks[child].isFailing else { continue }
            evaluate(child, now: now, monotonic: monotonic, into: &transitions)
        }
    }

    /// When a state began that follows time about which nothing is known. Rows of rounds go on across that time, but the
    /// state does not reach back into or beyond it: it begins with the round that spoke again.
    private func resumed(_ slot: Int, _ state: TargetState, began: WallTime, now: WallTime) -> WallTime {
        let unknownSince = tracks[slot].since
        guard began < unknownSince else { return began }
        let speaking = tracks[slot].probes.filter {
            $0.unknowns == 0 && (state == .down ? $0.isFailing : $0.isAnswering)
        }
        return min(speaking.compactMap { $0.newest?.sent }.filter { $0 >= unknownSince }.min() ?? now, now)
    }

    /// When a state began, by what the probes saw: the first packet of the row that made it.
    private func began(_ slot: Int, _ state: TargetState, _ basis: Basis) -> WallTime? {
        let probes = tracks[slot].probes
        switch (state, basis) {
        case (.up, _): return probes.filter(\.isAnswering).compactMap(\.runBegan).min()
        case (.down, _), (.unknown, .hidden), (.unknown, .uplink):
            return probes.filter { $0.decided != nil }.compactMap(\.runBegan).min()
        case (.unknown, .indeterminate), (.unknown, .unresolved): return probes.compactMap(\.unknownBegan).max()
        case (.degraded, .partial): return probes.filter { $0.decided != nil }.compactMap(\.runBegan).min()
        default: return nil
        }
    }
}
