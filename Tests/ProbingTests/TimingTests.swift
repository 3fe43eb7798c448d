import LinuxSystem
import Model
import Testing

@testable import Probing

private let ms: Int64 = 1_000_000

struct RoundTripTests {
    private let sent = ClockPair(monotonic: 1_000 * ms, wall: 5_000 * ms)

    private func read(after elapsed: Int64, step: Int64 = 0) -> ClockPair {
        ClockPair(monotonic: sent.monotonic + elapsed, wall: sent.wall + elapsed + step)
    }

    @Test
    func kernelStampsMakeTheTime() {
        let trip = RoundTrip(
            sent: sent, transmitted: sent.wall + 1 * ms, received: sent.wall + 41 * ms, read: read(after: 300 * ms))
        // Read 259 ms after it came: the stamps know better.
        #expect(trip.measure(stall: 0, stallBound: 500 * ms) == .time(40 * ms, .kernel))
        #expect(trip.measure(stall: 900 * ms, stallBound: 500 * ms) == .time(40 * ms, .kernel))
    }

    @Test
    func withoutAStampTheSourceSaysSo() {
        let noTransmit = RoundTrip(
            sent: sent, transmitted: nil, received: sent.wall + 40 * ms, read: read(after: 41 * ms))
        #expect(noTransmit.measure(stall: 0, stallBound: 500 * ms) == .time(40 * ms, .user))
        let none = RoundTrip(sent: sent, transmitted: nil, received: nil, read: read(after: 41 * ms))
        #expect(none.measure(stall: 0, stallBound: 500 * ms) == .time(41 * ms, .user))
        #expect(none.measure(stall: 600 * ms, stallBound: 500 * ms) == .tooLateToTell)
    }

    @Test(arguments: [3_600_000 * ms, -3_600_000 * ms, 2 * ms, -2 * ms])
    func aStepOfTheClockVoidsTheSample(step: Int64) {
        // Stepped between the two stamps.
        let trip = RoundTrip(
            sent: sent, transmitted: sent.wall, received: sent.wall + 40 * ms + step,
            read: read(after: 41 * ms, step: step))
        #expect(trip.measure(stall: 0, stallBound: 500 * ms) == .clockStep)
    }

    @Test
    func stampsOutsideTheBracketAreVoid() {
        let tooLong = RoundTrip(
            sent: sent, transmitted: sent.wall, received: sent.wall + 50 * ms, read: read(after: 41 * ms))
        #expect(tooLong.measure(stall: 0, stallBound: 500 * ms) == .clockStep)
        let negative = RoundTrip(
            sent: sent, transmitted: sent.wall + 2 * ms, received: sent.wall + 1 * ms, read: read(after: 41 * ms))
        #expect(negative.measure(stall: 0, stallBound: 500 * ms) == .clockStep)
    }
}

struct LoopWatchTests {
    private func clock(_ monotonic: Int64, step: Int64 = 0) -> ClockPair {
        ClockPair(monotonic: monotonic, wall: monotonic + 1_000_000 * ms + step)
    }

    @Test
    func latenessBeyondTheBoundIsAStall() {
        let watch = Box(LoopWatch(stallBound: 500 * ms))
        #expect(watch.it.didWake(clock(0), boottime: 0) == [])
        #expect(watch.it.willWait(at: 10 * ms, until: 100 * ms) == nil)
        #expect(watch.it.didWake(clock(300 * ms), boottime: 300 * ms) == [])
        #expect(watch.it.lateness == 200 * ms)
        _ = watch.it.willWait(at: 301 * ms, until: 400 * ms)
        #expect(watch.it.didWake(clock(60_400 * ms), boottime: 60_400 * ms) == [.stall(60_000 * ms)])
    }

    @Test
    func longWorkIsAStallToo() {
        let watch = Box(LoopWatch(stallBound: 500 * ms))
        _ = watch.it.didWake(clock(0), boottime: 0)
        #expect(watch.it.willWait(at: 800 * ms, until: 900 * ms) == .stall(800 * ms))
        #expect(watch.it.didWake(clock(900 * ms), boottime: 900 * ms) == [])
        #expect(watch.it.lateness == 800 * ms, "what came in meanwhile waited as long")
    }

    @Test
    func sleepAndStepsAreToldApart() {
        let watch = Box(LoopWatch(stallBound: 500 * ms))
        _ = watch.it.didWake(clock(0), boottime: 0)
        _ = watch.it.willWait(at: 0, until: 100 * ms)
        // Eight hours asleep: the monotonic clock stood still, the wall clock did not.
        let slept = 8 * 3_600_000 * ms
        #expect(watch.it.didWake(clock(100 * ms, step: slept), boottime: 100 * ms + slept) == [.suspension(slept)])
        _ = watch.it.willWait(at: 100 * ms, until: 200 * ms)
        #expect(
            watch.it.didWake(clock(200 * ms, step: slept - 3_600_000 * ms), boottime: 200 * ms + slept)
                == [.clockStep(-3_600_000 * ms)])
    }

    @Test
    func interruptionsVoidSilenceOnly() {
        var interruptions = Interruptions()
        interruptions.stalled(until: 100)
        #expect(interruptions.isStalled(sent: 50))
        #expect(!interruptions.isStalled(sent: 101))
        #expect(!interruptions.isSuspended(sent: 50))
    }
}

struct PatienceTests {
    @Test
    func graceIsHalfTheSmallerAndBounded() {
        #expect(Patience(timeout: .seconds(2), interval: .seconds(1)).grace == 500 * ms)
        #expect(Patience(timeout: .milliseconds(200), interval: .seconds(1)).grace == 100 * ms)
        #expect(Patience(timeout: .seconds(30), interval: .seconds(60)).grace == 1_000 * ms)
        #expect(Patience(timeout: .seconds(2), interval: .zero).grace == 0)
    }

    @Test
    func anAnswerBeyondTheTimeoutIsLate() {
        let patience = Patience(timeout: .milliseconds(100), interval: .seconds(1))
        #expect(patience.outcome(rtt: 100 * ms) == .ok(rtt: .milliseconds(100)))
        #expect(patience.outcome(rtt: 101 * ms) == .late(rtt: .milliseconds(101)))
    }
}

struct ConnectReadingTests {
    private let patience = Patience(timeout: .milliseconds(500), interval: .seconds(1))

    @Test
    func theKernelsHandshakeTimeIsTheRTT() {
        // We woke up 300 ms late; the kernel did not.
        let reading = ConnectReading(connectTime: 340 * ms, kernelRTT: 40 * ms, retransmits: 0)
        #expect(reading.outcome(patience: patience, isStalled: false) == (.ok(rtt: .milliseconds(40)), .tcpInfo))
        let later = ConnectReading(connectTime: 900 * ms, kernelRTT: 40 * ms, retransmits: 0)
        #expect(later.outcome(patience: patience, isStalled: true) == (.ok(rtt: .milliseconds(40)), .tcpInfo))
        #expect(reading.note == "connect=340.00ms")
    }

    @Test
    func aRepeatedSYNIsNoRTT() {
        let reading = ConnectReading(connectTime: 450 * ms, kernelRTT: 0, retransmits: 1)
        #expect(reading.outcome(patience: patience, isStalled: false) == (.ok(rtt: nil), .user))
        #expect(reading.note == "connect=450.00ms syn-retransmits=1")
        // TCP timestamps tell which SYN was answered, in milliseconds.
        let near = ConnectReading(connectTime: 450 * ms, kernelRTT: 1 * ms, retransmits: 1)
        #expect(near.outcome(patience: patience, isStalled: false) == (.ok(rtt: nil), .user))
        let far = ConnectReading(connectTime: 450 * ms, kernelRTT: 40 * ms, retransmits: 1)
        #expect(far.outcome(patience: patience, isStalled: false) == (.ok(rtt: .milliseconds(40)), .tcpInfo))
        let late = ConnectReading(connectTime: 1_040 * ms, kernelRTT: 40 * ms, retransmits: 1)
        #expect(late.outcome(patience: patience, isStalled: false) == (.late(rtt: .milliseconds(1_040)), .user))
    }

    @Test
    func withoutTheKernelALateLoopTellsNothing() {
        let reading = ConnectReading(connectTime: 450 * ms, kernelRTT: 0, retransmits: 0)
        #expect(reading.outcome(patience: patience, isStalled: false) == (.ok(rtt: .milliseconds(450)), .user))
        #expect(reading.outcome(patience: patience, isStalled: true) == (.indeterminate(.schedulerStall), .user))
        // A kernel figure longer than the whole attempt is none.
        let odd = ConnectReading(connectTime: 40 * ms, kernelRTT: 90 * ms, retransmits: 0)
        #expect(odd.outcome(patience: patience, isStalled: false) == (.ok(rtt: .milliseconds(40)), .user))
    }
}
