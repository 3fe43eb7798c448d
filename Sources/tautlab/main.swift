// `tautlab`: the lab for people; never installed.

import Foundation
import Glibc
import Synchronization
import TestSupport

let usage = """
    usage: tautlab demo [--bin DIR] [--seconds N]

    Builds a network of its own (namespaces and an emulated wide area; nothing leaves the machine), runs tautd in it and
    shows what it sees. On a terminal until Ctrl-C, else for N seconds (60).
      --bin DIR      where tautd and taut are built; beside tautlab where not given

    """

func fail(_ text: String, _ code: Int32) -> Never {
    FileHandle.standardError.write(Data("tautlab: \(text)\n".utf8))
    exit(code)
}

var arguments = CommandLine.arguments.dropFirst()
guard arguments.popFirst() == "demo" else {
    FileHandle.standardError.write(Data(usage.utf8))
    exit(64)
}
var binaries = DaemonProcess.ownBinaries
var seconds = 60.0
while let option = arguments.popFirst() {
    switch (option, arguments.popFirst()) {
    case ("--bin", let value?): binaries = value
    case ("--seconds", let value?) where (Double(value) ?? 0) > 0: seconds = Double(value) ?? seconds
    default:
        FileHandle.standardError.write(Data(usage.utf8))
        exit(64)
    }
}
guard Namespace.isPermitted else { fail("the lab \(Namespace.requirement); try: sudo make demo", 77) }
for number in [SIGINT, SIGTERM, SIGHUP] {
    signal(number) { _ in isInterrupted.store(true, ordering: .relaxed) }
}
signal(SIGPIPE, SIG_IGN)
do {
    try Demo(binaries: binaries, seconds: seconds).run()
} catch {
    fail("\(error)", 1)
}
