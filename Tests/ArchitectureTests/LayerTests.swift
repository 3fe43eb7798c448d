import Foundation
import Testing

@Suite struct LayerTests {
    private let repository = Repository()

    @Test func declaredDependenciesPointDownwards() throws {
        let targets = try repository.targets().filter { $0.type != "test" && $0.type != "plugin" }
        #expect(targets.count >= 16)
        for target in targets {
            #expect(Layers.height[target.name] != nil, "\(target.name) has no place in Layers.swift")
            for used in target.own {
                #expect(Layers.allows(target.name, toUse: used), "\(target.name) depends on \(used)")
            }
        }
    }

    @Test func importsPointDownwards() throws {
        var seen = 0
        for (module, files) in try repository.sources() {
            for file in files {
                let imports = Repository.imports(in: try String(contentsOf: file, encoding: .utf8))
                for used in imports where Layers.height[used] != nil {
                    seen += 1
                    #expect(Layers.allows(module, toUse: used), "\(module)/\(file.lastPathComponent) imports \(used)")
                }
            }
        }
        #expect(seen > 100)
    }

    @Test func foundationStaysOutOfTheInnerModules() throws {
        let foundations: Set = ["Foundation", "FoundationEssentials", "FoundationNetworking", "Dispatch"]
        for (module, files) in try repository.sources() where Layers.withoutFoundation.contains(module) {
            for file in files {
                let imports = Repository.imports(in: try String(contentsOf: file, encoding: .utf8))
                #expect(imports.isDisjoint(with: foundations), "\(module)/\(file.lastPathComponent)")
            }
        }
    }

    @Test func pureModulesDoNotKnowTheSystem() throws {
        let system: Set = ["Glibc", "CLinux", "SystemPackage", "Synchronization"]
        for (module, files) in try repository.sources() where Layers.pure.contains(module) {
            for file in files {
                let imports = Repository.imports(in: try String(contentsOf: file, encoding: .utf8))
                #expect(imports.isDisjoint(with: system), "\(module)/\(file.lastPathComponent)")
            }
        }
    }

    @Test func noFileIsLongerThanAPersonReads() throws {
        for (module, files) in try repository.sources() {
            for file in files {
                let lines = try String(contentsOf: file, encoding: .utf8).split(
                    separator: "\n", omittingEmptySubsequences: false)
                #expect(lines.count <= 401, "\(module)/\(file.lastPathComponent) has \(lines.count) lines")
            }
        }
    }
}

/// The rule itself, so that a test that cannot fail is noticed.
@Suite struct LayerRuleTests {
    @Test func siblingsAndUpperLayersAreRefused() {
        #expect(Layers.allows("Probing", toUse: "Wire"))
        #expect(!Layers.allows("Probing", toUse: "Capturing"))
        #expect(!Layers.allows("Wire", toUse: "Statistics"))
        #expect(!Layers.allows("Model", toUse: "Probing"))
        #expect(!Layers.allows("Probing", toUse: "TestSupport"))
        #expect(!Layers.allows("TestSupport", toUse: "Probing"))
        #expect(!Layers.allows("Nowhere", toUse: "Wire"))
    }

    @Test func importsAreFoundInEveryForm() {
        let text = """
            import A
            public import B
            @testable import C
            @preconcurrency internal import D
            import struct E.Value
            // import F
            let text = "import G"
            """
        #expect(Repository.imports(in: text) == ["A", "B", "C", "D", "E"])
    }
}
