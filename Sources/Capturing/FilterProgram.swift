// Filters of the kernel as instructions: one expression says what is kept whole, another what is kept in part.

internal import CPcap

/// A compiled filter, whose result for a packet is the number of bytes kept of it; 0: none.
struct FilterProgram {
    private(set) var instructions: [bpf_insn] = []

    /// `ret` and `ja` of classic BPF with a constant, and the class of all returns (net/bpf.h).
    private static let returnConstant: UInt16 = 0x06
    private static let jump: UInt16 = 0x05

    init(copying program: bpf_program) {
        guard let first = unsafe program.bf_insns else { return }
        // libpcap's compiler made that many.
        unsafe instructions = Array(UnsafeBufferPointer(start: first, count: Int(program.bf_len)))
    }

    /// The same filter, which keeps at most `length` bytes of what it takes.
    func keeping(_ length: Int) -> FilterProgram {
        var result = self
        for index in result.instructions.indices
        where result.instructions[index].code == FilterProgram.returnConstant && result.instructions[index].k != 0 {
            result.instructions[index].k = UInt32(clamping: length)
        }
        return result
    }

    /// This filter, and the other one for what this one does not take.
    func orElse(_ other: FilterProgram) -> FilterProgram {
        var result = self
        for index in result.instructions.indices
        where result.instructions[index].code == FilterProgram.returnConstant && result.instructions[index].k == 0 {
            // To the first instruction of the other, counted from the next one.
            result.instructions[index] = bpf_insn(
                code: FilterProgram.jump, jt: 0, jf: 0, k: UInt32(clamping: instructions.count - index - 1))
        }
        result.instructions += other.instructions
        return result
    }

    /// Calls `body` with the program as libpcap wants it, which copies it.
    func withProgram<Result>(_ body: (UnsafeMutablePointer<bpf_program>) -> Result) -> Result {
        var copy = instructions
        return unsafe copy.withUnsafeMutableBufferPointer { buffer in
            var program = unsafe bpf_program(bf_len: UInt32(buffer.count), bf_insns: buffer.baseAddress)
            return unsafe body(&program)
        }
    }
}
