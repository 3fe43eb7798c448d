// What libFuzzer calls. One program for all targets: FUZZ_TARGET names the one to run.

import Glibc

/// Read once, before the first input.
private let target: FuzzTarget = {
    guard let name = getenv("FUZZ_TARGET"), let target = FuzzTarget(rawValue: String(cString: name)) else {
        print("FUZZ_TARGET must be one of \(FuzzTarget.allCases.map(\.rawValue).joined(separator: " "))")
        exit(64)
    }
    return target
}()

/// Where FUZZ_SEEDS names a directory, writes the target's seeds there and ends.
@c(LLVMFuzzerInitialize)
public func initialize(
    _ count: UnsafeMutablePointer<CInt>,
    _ values: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>
) -> CInt {
    _ = target
    guard let directory = getenv("FUZZ_SEEDS") else { return 0 }
    for (index, seed) in target.seeds.enumerated() {
        let path = "\(String(cString: directory))/seed-\(index)"
        guard let file = fopen(path, "w") else {
            print("\(path): \(String(cString: strerror(errno)))")
            exit(74)
        }
        fwrite(seed, 1, seed.count, file)
        fclose(file)
    }
    exit(0)
}

@c(LLVMFuzzerTestOneInput)
public func testOneInput(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    do {
        try target.run(UnsafeRawBufferPointer(start: bytes, count: count).bytes)
    } catch {
        fatalError("\(target.rawValue): \(error)")
    }
    return 0
}
