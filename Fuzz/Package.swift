// swift-tools-version:6.2
import PackageDescription

// Fuzz targets as one program: `FUZZ_TARGET=engine .build/release/fuzz -max_total_time=60 corpus/`. scripts/fuzz.sh builds
// and runs it; TAUTLINE_FUZZ=1 makes the package beside it offer its modules as a library.

let package = Package(
    name: "tautline-fuzz",
    dependencies: [.package(name: "tautline", path: "..")],
    targets: [
        .executableTarget(
            name: "fuzz",
            dependencies: [.product(name: "TautlineModules", package: "tautline")],
            swiftSettings: [
                .swiftLanguageMode(.v6),
                .enableExperimentalFeature("Lifetimes"),
                .enableUpcomingFeature("ExistentialAny"),
                .enableUpcomingFeature("MemberImportVisibility"),
                .treatAllWarnings(as: .error),
                // libFuzzer brings main.
                .unsafeFlags(["-parse-as-library"]),
            ])
    ]
)
