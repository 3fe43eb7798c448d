// What ails a capture source at the moment.

internal import Capturing
internal import Model
internal import Synchronization

/// The problems of capture sources by interface, as told by their threads.
final class CaptureHealth: Sendable {
    private struct State {
        var lost: String?
        var sampled: Int = 1
    }

    private let states = Mutex<[String: State]>([:])

    func take(_ event: CaptureEvent, interface: String) {
        states.withLock { states in
            switch event {
            case .lost(let reason): states[interface, default: State()].lost = reason
            case .resumed: states[interface, default: State()].lost = nil
            case .shedding(let share): states[interface, default: State()].sampled = share
            }
        }
    }

    /// Whether packets are read, and what is wrong; nil where nothing is.
    func condition(of interface: String) -> (isRunning: Bool, problem: String?) {
        let state = states.withLock { $0[interface] } ?? State()
        if let lost = state.lost { return (false, lost) }
        guard state.sampled > 1 else { return (true, nil) }
        return (true, "one flow of \(state.sampled) is measured, since the kernel kept dropping packets")
    }
}

extension MonitorEvent {
    init(_ event: CaptureEvent, interface: String, at time: WallTime) {
        switch event {
        case .lost(let reason):
            self.init(kind: .captureLost, start: time, text: "capture on \(interface) lost: \(Text.sanitised(reason))")
        case .resumed: self.init(kind: .captureResumed, start: time, text: "capture on \(interface) resumed")
        case .shedding(let share):
            let what =
                share > 1
                ? "measures one flow of \(share), since the kernel kept dropping packets" : "measures every flow again"
            self.init(kind: .captureShedding, start: time, text: "capture on \(interface) \(what)")
        }
    }
}
