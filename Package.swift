// swift-tools-version:6.2
import PackageDescription

// The modules in layer order; Tests/ArchitectureTests asserts that each one imports lower layers only.
// ARCHITECTURE.md says what lives where.

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableExperimentalFeature("Lifetimes"),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
]

/// Tests keep the language settings but not `unsafe` markers: a test that needs a pointer is still a test.
let relaxed: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableExperimentalFeature("Lifetimes"),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let subprocess = Target.Dependency.product(name: "Subprocess", package: "swift-subprocess")
let systemPackage = Target.Dependency.product(name: "SystemPackage", package: "swift-system")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let grdbSQLite = Target.Dependency.product(name: "GRDBSQLite", package: "GRDB.swift")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")

func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func program(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource] = []) -> Target {
    .testTarget(name: name, dependencies: dependencies, resources: resources, swiftSettings: relaxed)
}

let package = Package(
    name: "tautline",
    products: [
        .executable(name: "tautd", targets: ["tautd"]),
        .executable(name: "taut", targets: ["taut"]),
    ],
    dependencies: [
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2", traits: []),
    ],
    targets: [
        // Layer 0: C headers that `import Glibc` does not expose.
        .target(name: "CLinux"),
        // fread(3) for libpcap's savefiles; in force in the programs that link it.
        .target(name: "CSavefile"),
        .systemLibrary(name: "CPcap", pkgConfig: "libpcap", providers: [.apt(["libpcap-dev"])]),
        .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),

        // Layer 1: pure values, no I/O, no Foundation.
        module("Wire"),
        module("Statistics"),

        // Layer 2: the data model, and the operating system.
        module("Model", ["Wire", "Statistics"]),
        module("LinuxSystem", ["CLinux", "Wire", systemPackage]),

        // Layer 3: the five trades, which know nothing of each other.
        module("Probing", ["Model", "LinuxSystem", "Wire", "Statistics", "CLinux"]),
        module("Capturing", ["Model", "LinuxSystem", "Wire", "Statistics", "CLinux", "CPcap", "CCrypto"]),
        module("Storing", ["Model", "LinuxSystem", "Statistics", "Wire", grdb, grdbSQLite]),
        module("Alerting", ["Model", "LinuxSystem", "Statistics", "Wire", "CLinux", subprocess, systemPackage]),
        module("Configuring", ["Model", "Wire", yams]),

        // Layer 4: what the daemon and the command say to each other.
        module("Control", ["Model", "LinuxSystem", "Statistics", "Wire", "CLinux"]),

        // Layer 5: composition.
        module(
            "DaemonKit",
            [
                "Control", "Probing", "Capturing", "Storing", "Alerting", "Configuring", "Model", "LinuxSystem",
                "Statistics", "Wire", "CLinux", logging, arguments,
            ]),
        module(
            "CommandKit",
            [
                "Control", "Probing", "Capturing", "Storing", "Alerting", "Configuring", "Model", "LinuxSystem",
                "Statistics", "Wire", "CLinux", arguments,
            ]),

        // Layer 6: the programs.
        program("tautd", ["DaemonKit", arguments]),
        program("taut", ["CommandKit", "CSavefile"]),

        // The lab and the builders of test data; never linked into a program.
        .target(
            name: "TestSupport", dependencies: ["Wire", "LinuxSystem", "Model", "CLinux", "CCrypto"],
            swiftSettings: relaxed),

        .executableTarget(name: "tautlab", dependencies: ["TestSupport"], swiftSettings: relaxed),

        // Benchmarks, each beside its scripts; never installed.
        .executableTarget(
            name: "storebench", dependencies: ["Storing", "Model", "Wire"], path: "Benchmarks/storage",
            exclude: ["README.md", "cold.sh", "linear.sh", "peers.sh", "stall.sh", "timing.sh"], swiftSettings: relaxed),
        // The engine alone, for `make bench-check`.
        .executableTarget(
            name: "tautbench", dependencies: ["Capturing", "Model", "Statistics", "CSavefile"],
            path: "Benchmarks/tautbench", swiftSettings: relaxed),

        tests("WireTests", ["Wire", "TestSupport"]),
        tests("StatisticsTests", ["Statistics"]),
        tests("ModelTests", ["Model", "Wire", "Statistics"]),
        tests("LinuxSystemTests", ["LinuxSystem", "TestSupport", "CLinux"]),
        tests("ProbingTests", ["Probing", "TestSupport", "Model", "LinuxSystem", "Wire", "CLinux"]),
        tests(
            "CapturingTests",
            [
                "Capturing", "TestSupport", "Model", "LinuxSystem", "Wire", "Statistics", "CLinux", "CSavefile",
            ]),
        tests(
            "StoringTests", ["Storing", "Model", "LinuxSystem", "Statistics", "Wire", "storebench", grdb],
            resources: [.copy("Fixtures")]),
        tests("AlertingTests", ["Alerting", "Model", "Statistics", "Wire", "TestSupport"]),
        tests("ConfiguringTests", ["Configuring", "Model", "Wire"], resources: [.copy("Fixtures")]),
        tests("ControlTests", ["Control", "Model", "LinuxSystem"]),
        tests(
            "CommandKitTests",
            [
                "CommandKit", "Control", "Storing", "Capturing", "Model", "LinuxSystem", "Statistics", "Wire",
                "TestSupport", "taut", "CLinux", arguments,
            ], resources: [.copy("Snapshots")]),
        tests(
            "DaemonKitTests",
            [
                "DaemonKit", "Alerting", "Capturing", "Control", "Probing", "Storing", "Model", "LinuxSystem", "Wire",
                "TestSupport", arguments, logging,
            ]),
        tests("FuzzTests", ["Capturing", "TestSupport", "Model", "Wire", "Statistics"]),
        tests("ArchitectureTests", []),
        tests("SystemTests", ["TestSupport", "Model", "LinuxSystem", "Wire", "CLinux"]),
    ]
)

// A build of the named modules and what they need, for a quick edit loop on one of them:
// TAUTLINE_MODULES=Capturing,CapturingTests swift build --scratch-path .build-capturing
if let wanted = Context.environment["TAUTLINE_MODULES"] {
    var needed = Set(wanted.split(separator: ",").map(String.init))
    var grew = true
    while grew {
        grew = false
        for target in package.targets where needed.contains(target.name) {
            for dependency in target.dependencies {
                let name: String
                switch dependency {
                case .targetItem(let item, _): name = item
                case .byNameItem(let item, _): name = item
                default: continue
                }
                if needed.insert(name).inserted { grew = true }
            }
        }
    }
    package.targets.removeAll { !needed.contains($0.name) }
    package.products.removeAll { !needed.contains($0.name) }
}

// Fuzz/ is a package of its own that reads the modules as one library; no other build knows of it.
if Context.environment["TAUTLINE_FUZZ"] != nil {
    package.products.append(
        .library(name: "TautlineModules", targets: ["Wire", "Statistics", "Model", "Capturing", "TestSupport"]))
}
