import Model
import Statistics
import Testing

@testable import Capturing

/// Figures of many samples: the rows of kinds and of services come to what a histogram of the same values says.
@Suite struct FigureCollectorTests {
    private func report(_ rtt: Int64, _ service: ServiceReference, _ name: String?, to figures: inout FigureCollector) {
        if figures.addDense(rtt, .tcpData, .server, service) { return }
        let place =
            figures.place(.tcpData, .server, service) ?? figures.open(.tcpData, .server, service, name: name)
        figures.add(rtt, at: place)
    }

    /// Few services share rows with their kind; of 400, most have none of their own.
    @Test(arguments: [1, 3, 400])
    func rowsComeToWhatTheirSamplesSay(services: Int) {
        var figures = FigureCollector()
        var all = Histogram()
        var each = Array(repeating: [Int64](), count: services)
        var rtt: Int64 = 1
        for number in 0..<150_000 {
            // Anything from nothing to a second, and each service in its own range.
            rtt = (rtt &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407)
            let value = (rtt &>> 33 & 0x3FFF_FFFF) / Int64(number % services + 1)
            report(value, ServiceReference(service: number % services), "s\(number % services)", to: &figures)
            all.record(nanoseconds: value)
            each[number % services].append(value)
        }
        #expect(figures.kinds.map(\.count) == [150_000])
        #expect(figures.kinds.first?.minimum == all.minimum && figures.kinds.first?.maximum == all.maximum)
        #expect(figures.kinds.first?.p50 == all.quantile(0.5) && figures.kinds.first?.p99 == all.quantile(0.99))
        #expect(figures.services.count == services)
        for row in figures.services {
            let values = each[Int(row.service?.dropFirst() ?? "") ?? 0]
            var histogram = Histogram()
            for value in values { histogram.record(nanoseconds: value) }
            #expect(row.count == UInt64(values.count) && row.maximum == histogram.maximum)
            #expect(row.p95 == histogram.quantile(0.95), "\(row)")
        }
    }
}
