import Testing

@testable import Probing

/// What the kernel counts: for a broken message the drop first and then the error.
private final class Kernel {
    var drops: UInt32
    var errors: UInt64? = 100
    /// What comes in while the file of errors is read: the packets, each with the steps of `broken`.
    var arrivals: (() -> Void)?

    init(drops: UInt32 = 7) { self.drops = drops }

    /// A message with a wrong checksum, of a type that the socket reads.
    func broken(_ count: Int = 1) {
        drops &+= UInt32(count)
        errors? += UInt64(count)
    }

    func counter() -> ReceiveDrops {
        ReceiveDrops(
            drops: { [self] in drops },
            errors: { [self] in
                defer { arrivals?() }
                return errors
            })
    }
}

struct ReceiveDropsTests {
    @Test
    func brokenMessagesAreNoDropsOfOurs() {
        let kernel = Kernel()
        var counter = kernel.counter()
        kernel.broken(5)
        #expect(counter.look(thorough: true) == 0)
        kernel.broken(1)
        kernel.drops += 3
        #expect(counter.look(thorough: false) == 3)
        #expect(counter.look(thorough: true) == 0)
    }

    /// `.ci/run` met this: the socket was opened between the two counters of a broken message.
    @Test
    func brokenMessagesThatComeDuringALookAreNoDropsOfOurs() {
        let kernel = Kernel()
        kernel.arrivals = { kernel.broken(2) }
        var counter = kernel.counter()
        for round in 0..<50 {
            #expect(counter.look(thorough: round % 3 == 0) == 0, "look \(round)")
            kernel.broken(round % 4)
        }
    }

    @Test
    func aMessageBetweenItsDropAndItsErrorIsNoDropOfOurs() {
        let kernel = Kernel()
        var counter = kernel.counter()
        // The drop is counted when the look begins; the error comes with it.
        kernel.drops += 1
        kernel.arrivals = {
            kernel.errors? += 1; kernel.arrivals = nil
        }
        #expect(counter.look(thorough: true) == 0)
        #expect(counter.look(thorough: true) == 0)
    }

    @Test
    func errorsOfMessagesThatTheSocketDoesNotReadExcuseNoDropOfLater() {
        let kernel = Kernel()
        var counter = kernel.counter()
        kernel.errors? += 40
        #expect(counter.look(thorough: true) == 0)
        kernel.drops += 4
        #expect(counter.look(thorough: false) == 4)
    }

    @Test
    func aCounterThatWrapsAndAKernelThatSaysNothing() {
        let kernel = Kernel(drops: .max - 1)
        var counter = kernel.counter()
        kernel.drops &+= 5
        #expect(counter.look(thorough: true) == 5)
        kernel.errors = nil
        kernel.drops += 2
        #expect(counter.look(thorough: true) == 2)
        var silent = ReceiveDrops(drops: { nil }, errors: { nil })
        #expect(silent.look(thorough: true) == 0)
    }
}
