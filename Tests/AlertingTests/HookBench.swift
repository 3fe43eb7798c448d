// A place that SafePath accepts, scripts in it, and a delivery over a spool of its own.

import Alerting
import Foundation
import Model
import Synchronization

/// A directory under the home or working directory; /tmp is writable by all and rightly refused.
final class HookBench: Sendable {
    let directory: String
    let events = EventLog()

    static let base: String? = [
        FileManager.default.homeDirectoryForCurrentUser.path, FileManager.default.currentDirectoryPath,
    ].first { path in
        let probe = "\(path)/.tautline-probe-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: probe) }
        return FileManager.default.createFile(
            atPath: probe, contents: Data("#!/bin/sh\n".utf8), attributes: [.posixPermissions: 0o755])
            && SafePath.refusal(probe) == nil
    }

    /// Where neither home nor working directory is safe there is nowhere to run a hook from.
    static let isPossible = base != nil

    init() throws {
        directory = "\(Self.base ?? ".")/.tautline-test-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o755])
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    func path(_ name: String) -> String { "\(directory)/\(name)" }

    @discardableResult
    func script(_ name: String, _ body: String, mode: Int = 0o755) throws -> String {
        let file = path(name)
        try Data("#!/bin/sh\n\(body)\n".utf8).write(to: URL(filePath: file))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file)
        return file
    }

    func hook(_ body: String, name: String = "pager", timeout: Duration = .seconds(10), attempts: Int = 3) throws
        -> HookSpec
    {
        HookSpec(name: name, command: [try script(name, body)], timeout: timeout, attempts: attempts)
    }

    func delivery(_ hooks: [HookSpec], limits: HookLimits? = nil) throws -> HookDelivery {
        var quick = limits ?? HookLimits()
        if limits == nil {
            quick.firstPause = .milliseconds(50)
            quick.stopPatience = .milliseconds(200)
        }
        let log = events
        return try HookDelivery(directory: path("spool"), hooks: hooks, site: "lab", limits: quick) { log.add($0) }
    }

    func text(_ name: String) -> String {
        String(decoding: FileManager.default.contents(atPath: path(name)) ?? Data(), as: UTF8.self)
    }

    func lines(_ name: String) -> [String] { text(name).split(separator: "\n").map(String.init) }

    func spooled(_ folder: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: path("spool/\(folder)"))) ?? []).sorted()
    }
}

final class EventLog: Sendable {
    private let list = Mutex<[HookEvent]>([])
    func add(_ event: HookEvent) { list.withLock { $0.append(event) } }
    var all: [HookEvent] { list.withLock { $0 } }
}

/// Waits until `condition` holds, at most `seconds`; says whether it did.
func eventually(_ seconds: Double = 10, _ condition: () -> Bool) async -> Bool {
    let end = ContinuousClock.now.advanced(by: .milliseconds(Int(seconds * 1_000)))
    while ContinuousClock.now < end {
        if condition() { return true }
        try? await Task.sleep(for: .milliseconds(10))
    }
    return condition()
}

extension HookNotice {
    static func sample(
        _ incident: Int64, _ event: HookNotice.Event = .firing, hook: String = "pager", target: String? = nil,
        title: String = "VPN gateway", reason: String = "no answer"
    ) -> HookNotice {
        HookNotice(
            id: "\(incident)-\(event.rawValue)-\(hook)", hook: hook, event: event,
            opened: event == .firing ? [incident] : [], closed: event == .resolved ? [incident] : [], rule: "down",
            target: TargetID(sanitising: target ?? "vpn\(incident)"), title: title, state: .down, severity: .critical,
            reason: reason, site: "lab", since: WallTime(seconds: 1_780_000_000), layer: .target,
            evidence: ["newest", "older"], created: WallTime(seconds: 1_780_000_010))
    }
}
