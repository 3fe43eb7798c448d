// Sweeps over the captures beside the repository; skipped, saying so, where they are not there.

import Capturing
import Foundation
import Testing

@Suite struct CorpusTests {
    @Test(arguments: CraftedCapture.all)
    func crafted(_ expected: CraftedCapture) throws {
        guard let file = Corpus.file("synthetic/\(expected.file)"), FileManager.default.fileExists(atPath: file.path)
        else {
            print("skipped: no ../shared/corpus/synthetic/\(expected.file)")
            return
        }
        let analysis = try Analysis(file: file.path)
        #expect(analysis.lines == expected.lines)
        #expect(analysis.report.retransmissions == expected.retransmissions)
        #expect(analysis.report.outOfOrder == expected.outOfOrder)
        #expect(analysis.report.duplicates == expected.duplicates)
        #expect(analysis.isBalanced)
    }

    @Test func everyFileEndsInAReportOrAnError() throws {
        guard Corpus.directory != nil else {
            print("skipped: no ../shared/corpus")
            return
        }
        var read = 0
        for file in Corpus.files {
            do {
                let analysis = try Analysis(file: file.path)
                #expect(analysis.isBalanced, "\(file.path)")
                read += 1
            } catch let error as CaptureError {
                #expect(!"\(error)".contains("\n"), "\(file.path)")
            }
        }
        print("read \(read) of \(Corpus.files.count) files")
        #expect(read > 500)
    }
}
