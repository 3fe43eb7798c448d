import Testing

@testable import DaemonKit

@Suite struct DaemonPathsTests {
    @Test func defaultsAreThoseOfTheContract() {
        let paths = DaemonPaths(config: nil, state: nil, runtime: nil, environment: [:])
        #expect(paths.configFile == "/etc/tautline/tautline.yaml")
        #expect(paths.configDirectory == "/etc/tautline/conf.d")
        #expect(paths.stateDirectory == "/var/lib/tautline")
        #expect(paths.controlSocket == "/run/tautline/control.sock")
    }

    @Test func systemdDirectoriesWinAndTheFirstCounts() {
        let environment = ["STATE_DIRECTORY": "/a:/b", "RUNTIME_DIRECTORY": "/c"]
        let paths = DaemonPaths(config: nil, state: nil, runtime: nil, environment: environment)
        #expect(paths.stateDirectory == "/a")
        #expect(paths.runtimeDirectory == "/c")
        #expect(DaemonPaths(config: nil, state: "/s", runtime: nil, environment: environment).stateDirectory == "/s")
    }

    @Test(arguments: [("x.yaml", "./conf.d"), ("/x.yaml", "/conf.d"), ("a/x.yaml", "a/conf.d")])
    func dropInsLieBesideTheConfig(file: String, directory: String) {
        #expect(DaemonPaths(config: file, state: nil, runtime: nil, environment: [:]).configDirectory == directory)
    }
}
