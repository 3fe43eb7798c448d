// The words of verdicts: one line for a service desk, with the numbers and how they were measured.

import Model

enum Phrases {
    /// `12.3 ms`, `850 µs`, `2.4 s`.
    static func duration(_ nanoseconds: Int64) -> String {
        let value = Double(nanoseconds)
        switch nanoseconds.magnitude {
        case 0..<1_000_000: return "\(decimal(value / 1_000)) µs"
        case 1_000_000..<1_000_000_000: return "\(decimal(value / 1_000_000)) ms"
        default: return "\(decimal(value / 1_000_000_000)) s"
        }
    }

    static func duration(_ duration: Duration) -> String { Self.duration(duration.clampedNanoseconds) }

    /// A number with one decimal, rounded half away from zero.
    static func decimal(_ value: Double) -> String {
        guard value.isFinite, value.magnitude < 1e15 else { return "?" }
        let tenths = Int64((value * 10).rounded())
        let sign = tenths < 0 ? "-" : ""
        return "\(sign)\(tenths.magnitude / 10).\(tenths.magnitude % 10)"
    }

    static func percent(_ part: Int, of whole: Int) -> String {
        guard whole > 0 else { return "0 %" }
        return "\(decimal(Double(part) * 100 / Double(whole))) %"
    }

    static func percent(_ share: Double) -> String { "\(decimal(share * 100)) %" }

    /// `42 s`, `7 min`, `3 h`.
    static func age(_ duration: Duration) -> String {
        let seconds = max(0, duration.components.seconds)
        switch seconds {
        case 0..<120: return "\(seconds) s"
        case 120..<7_200: return "\(seconds / 60) min"
        default: return "\(seconds / 3_600) h"
        }
    }

    static func source(_ source: MeasurementSource) -> String {
        switch source {
        case .kernel: "kernel timestamps"
        case .user: "user-space timestamps"
        case .tcpInfo: "kernel TCP_INFO"
        }
    }

    /// `tcp-443 over IPv6`.
    static func label(_ probe: String, isIPv6: Bool?) -> String {
        isIPv6.map { "\(probe) over \($0 ? "IPv6" : "IPv4")" } ?? probe
    }

    /// What failed rounds of one probe come to: `no answer to 3 rounds in a row of icmp (timeout 1.0 s)`.
    static func failure(_ track: ProbeTrack) -> String {
        let rounds = track.failures == 1 ? "1 round" : "\(track.failures) rounds in a row"
        guard let newest = track.newest else { return "\(rounds) of \(track.label) failed" }
        let note = newest.note.map { " (\(Text.sanitised($0)))" } ?? ""
        let timeout = " (timeout \(duration(track.spec.timeout)))"
        guard track.alike >= track.failures else {
            let all = "\(rounds) of \(track.label) failed, the newest"
            switch newest.outcome {
            case .refused: return "\(all) refused\(note)"
            case .error(let error): return "\(all) by \(error.rawValue)\(note)"
            default: return "\(all) without an answer\(timeout)"
            }
        }
        switch newest.outcome {
        case .error(.linkDown): return "the link is down"
        case .refused: return "refused \(rounds) of \(track.label)\(note)"
        case .error(let error): return "\(error.rawValue) in \(rounds) of \(track.label)\(note)"
        default: return "no answer to \(rounds) of \(track.label)\(timeout)"
        }
    }

    /// How an answering probe does over the window: `icmp 10 of 10 answered, median 12.3 ms (kernel timestamps)`.
    static func health(_ track: ProbeTrack, window: Int) -> String {
        if track.spec.kind == .link { return "the link is up" }
        let (failed, total) = track.loss(rounds: window)
        guard total > 0 else {
            // The window begins anew with each state, so the round that made it is all there is.
            let last = track.newest?.medianRTT.map { " in \(duration($0)) (\(source(track.newest?.source ?? .user)))" }
            return "\(track.label) answers\(last ?? "")"
        }
        var text = "\(track.label) \(total - failed) of \(total) answered"
        if let median = track.medianRTT(rounds: window) {
            text += ", median \(duration(median)) (\(source(track.newest?.source ?? .user)))"
        }
        return text
    }

    /// `gateway 192.0.2.1 on eth0`: the kind before the title, unless the title says it.
    static func named(_ target: TargetSpec) -> String {
        let title = Text.sanitised(target.title)
        return title.lowercased().hasPrefix(target.kind.rawValue) ? title : "\(target.kind.rawValue) \(title)"
    }

    static func unknown(_ reason: IndeterminateReason) -> String {
        switch reason {
        case .linkDown: "our own link is down"
        case .noRoute: "this host has no route to it"
        case .gatewayDown: "the gateway does not answer"
        case .uplinkDown: "the uplink is down"
        case .schedulerStall: "the monitor was not scheduled in time"
        case .clockStep: "the clock was set during the measurement"
        case .suspended: "this host was suspended"
        case .descriptorsExhausted: "the monitor ran out of descriptors"
        case .sendBufferFull: "the host's send buffer was full"
        case .sendRefused: "the host's own firewall refused the packet"
        case .noPermission: "the monitor may not send this kind of probe"
        case .noSourceAddress: "the host has no address to send from"
        case .internalError: "the monitor failed internally"
        case .stopped: "the monitor was stopped"
        }
    }

    static func layer(_ reason: IndeterminateReason) -> FaultLayer {
        switch reason {
        case .linkDown, .noRoute, .noSourceAddress: .link
        case .gatewayDown: .gateway
        case .uplinkDown: .uplink
        case .schedulerStall, .clockStep, .suspended, .descriptorsExhausted, .sendBufferFull, .sendRefused,
            .noPermission, .internalError, .stopped:
            .monitor
        }
    }

    /// One evidence line: `2026-11-24T03:50:00.000Z icmp lost, no answer in 1.0 s`.
    static func evidence(_ round: RoundDigest, probe: ProbeSpec) -> String {
        var text = "\(round.sent.label) \(probe.id) "
        switch round.standing {
        case .answered:
            text += "\(round.answered) of \(round.answered + round.failed) answered"
            if let rtt = round.medianRTT { text += ", \(duration(rtt)) (\(source(round.source)))" }
        case .failed:
            text += round.outcome.name
            if let detail = round.outcome.detail { text += " \(detail)" }
            if round.outcome == .lost { text += ", no answer in \(duration(probe.timeout))" }
        case .unknown:
            text += round.outcome.name
            if let detail = round.outcome.detail { text += " \(detail)" }
        }
        if let note = round.note { text += ", \(Text.sanitised(note))" }
        return text
    }
}

extension WallTime {
    /// RFC 3339 in UTC to the millisecond, rounded towards the past.
    var label: String {
        let remainder = nanoseconds % 1_000_000
        return WallTime(
            nanoseconds: nanoseconds.subtractingSaturated(remainder < 0 ? remainder + 1_000_000 : remainder)
        )
        .rfc3339
    }
}
