// The verbs whose answers may be longer than a screen.

internal import ArgumentParser

/// A verb that answers at once and in lines; those that run on or write data as it comes are none.
protocol PagedVerb: ParsableCommand {
    var global: GlobalOptions { get }
    var mayPage: Bool { get }
}

extension PagedVerb {
    var mayPage: Bool { true }
}

extension StatusVerb: PagedVerb {}
extension WhyVerb: PagedVerb {}
extension HistoryVerb: PagedVerb {}
extension GraphVerb: PagedVerb {}
extension CompareVerb: PagedVerb {}
extension FlowsVerb: PagedVerb {}
extension ReportVerb: PagedVerb {}
extension IncidentsVerb: PagedVerb {}
extension SilencesVerb: PagedVerb {}
extension DatabaseStatVerb: PagedVerb {}
extension AnalyzeVerb: PagedVerb {
    var mayPage: Bool { !samples }
}
extension ConfigVerb.Check: PagedVerb {}
extension ConfigVerb.Explain: PagedVerb {}
extension ConfigVerb.Diff: PagedVerb {}
extension HooksVerb.List: PagedVerb {}
