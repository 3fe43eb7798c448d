import Foundation
import Testing

/// What is installed beside the programs agrees with itself.
@Suite struct PackagingTests {
    private let repository = Repository()

    private func text(_ path: String) throws -> String {
        try String(contentsOf: repository.root.appendingPathComponent(path), encoding: .utf8)
    }

    private func values(of key: String, in unit: String) -> [String] {
        unit.split(separator: "\n").filter { $0.hasPrefix(key + "=") }.map { String($0.dropFirst(key.count + 1)) }
    }

    @Test func theUnitKeepsOneCapabilityAndTheCallThatDropsIt() throws {
        let unit = try text("systemd/tautd.service")
        #expect(values(of: "CapabilityBoundingSet", in: unit) == ["CAP_NET_RAW"])
        #expect(values(of: "AmbientCapabilities", in: unit) == ["CAP_NET_RAW"])
        #expect(values(of: "NoNewPrivileges", in: unit) == ["yes"])
        // Behind the line that takes @privileged away, or it has no effect.
        #expect(values(of: "SystemCallFilter", in: unit).last == "capset")
        #expect(values(of: "Type", in: unit) == ["notify"])
        #expect(values(of: "RestartPreventExitStatus", in: unit) == ["77 78"])
    }

    @Test func usersFilesAndUnitNameTheSameUser() throws {
        let unit = try text("systemd/tautd.service")
        let users = try text("systemd/tautline.sysusers.conf")
        #expect(values(of: "User", in: unit) == ["tautline"])
        #expect(values(of: "Group", in: unit) == ["tautline"])
        #expect(users.contains("u tautline - "))
        let files = try text("systemd/tautline.tmpfiles.conf")
        #expect(files.contains("d /var/lib/tautline 0750 tautline tautline -"))
        // Others must not write where hooks lie, or the daemon refuses them.
        #expect(files.contains("d /etc/tautline/hooks 0755 root root -"))
    }

    @Test func scriptsAreExecutable() throws {
        for directory in ["scripts", "etc/hooks", ".ci"] {
            let path = repository.root.appendingPathComponent(directory).path
            for name in try FileManager.default.contentsOfDirectory(atPath: path) {
                #expect(FileManager.default.isExecutableFile(atPath: path + "/" + name), "\(directory)/\(name)")
            }
        }
    }
}
