import TestSupport
import Testing

/// The built programs in the lab, one test after the other: timings are asserted, and two labs at once would disturb
/// each other on two cores. Where namespaces cannot be made the suite is skipped, and says so.
@Suite(.serialized, .enabled(if: Namespace.isPermitted, "\(Namespace.requirement)"))
enum SystemSuite {}
