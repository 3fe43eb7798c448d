// What ails a capture source at the moment.

internal import Capturing
internal import Model
internal import Synchronization

/// The problems of capture sources by interface, as told by their threads.
final class CaptureHealth: Sendable {
    private let problems = Mutex<[String: String]>([:])

    func take(_ event: CaptureEvent, interface: String) {
        problems.withLock { problems in
            switch event {
            case .lost(let reason): problems[interface] = reason
            case .resumed: problems[interface] = nil
            }
        }
    }

    /// Why the source is not running; nil while it is.
    func problem(of interface: String) -> String? { problems.withLock { $0[interface] } }
}

extension MonitorEvent {
    init(_ event: CaptureEvent, interface: String, at time: WallTime) {
        switch event {
        case .lost(let reason):
            self.init(kind: .captureLost, start: time, text: "capture on \(interface) lost: \(Text.sanitised(reason))")
        case .resumed: self.init(kind: .captureResumed, start: time, text: "capture on \(interface) resumed")
        }
    }
}
