// The environment as values.

internal import Foundation

enum ProcessEnvironment {
    static func current() -> [String: String] { ProcessInfo.processInfo.environment }
}
