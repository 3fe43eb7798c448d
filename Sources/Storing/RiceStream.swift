// A list of whole numbers as Rice codes of what is left after a prediction. R. F. Rice, JPL 79-22 (1979).
//
// A number n under parameter k is n >> k in unary (ones, then a zero) and the k low bits. The writer tries every
// prediction and the parameters that can be best, and keeps the shortest. A quotient of 24 or more is written as 24
// ones, the width of the number in six bits, and the number: one spike must not cost a page of ones.

/// How a list of numbers is predicted and coded.
struct RiceStream: Hashable {
    enum Prediction: UInt8, CaseIterable {
        /// All numbers are the base.
        case constant = 0
        /// The least number.
        case minimum = 1
        /// The median; what is left may be negative.
        case median = 2
        /// The number before.
        case previous = 3
    }

    private static let escape = 24

    var prediction = Prediction.constant
    var parameter = 0
    var base: Int64 = 0

    /// The shortest form for the values.
    init(for values: [Int64]) {
        guard let least = values.min(), let greatest = values.max() else { return }
        base = least
        guard least != greatest else { return }
        var shortest = Int.max
        for (prediction, base) in [
            (Prediction.minimum, least), (.median, values.sorted()[values.count / 2]), (.previous, values[0]),
        ] {
            let rests = RiceStream.rests(values, prediction, base)
            let (parameter, bits) = RiceStream.bestParameter(rests)
            if bits < shortest {
                shortest = bits
                (self.prediction, self.parameter, self.base) = (prediction, parameter, base)
            }
        }
    }

    private static func rests(_ values: [Int64], _ prediction: Prediction, _ base: Int64) -> [UInt64] {
        var before = base
        return values.map { value in
            let rest = value &- before
            if prediction == .minimum { return UInt64(bitPattern: rest) }
            if prediction == .previous { before = value }
            return zigzag(rest)
        }
    }

    private static func bestParameter(_ rests: [UInt64]) -> (parameter: Int, bits: Int) {
        var sum = 0.0
        for rest in rests { sum += Double(rest) }
        let mean = sum / Double(max(rests.count, 1))
        let guess = mean < 1 ? 0 : 63 - UInt64(min(mean, 9e18)).leadingZeroBitCount
        var best = (parameter: 0, bits: Int.max)
        for parameter in max(min(guess, 56) - 4, 0)...min(guess + 1, 56) {
            var bits = 0
            for rest in rests { bits += length(rest, parameter) }
            if bits < best.bits { best = (parameter, bits) }
        }
        return best
    }

    private static func length(_ rest: UInt64, _ parameter: Int) -> Int {
        let quotient = rest >> UInt64(parameter)
        return quotient < UInt64(escape) ? Int(quotient) + 1 + parameter : escape + 6 + width(of: rest)
    }

    private static func width(of rest: UInt64) -> Int { max(64 - rest.leadingZeroBitCount, 1) }

    /// Appends the values' codes.
    func write(_ values: [Int64], to writer: inout BitWriter) {
        guard prediction != .constant else { return }
        for rest in RiceStream.rests(values, prediction, base) {
            let quotient = rest >> UInt64(parameter)
            if quotient < UInt64(RiceStream.escape) {
                writer.write((1 << (quotient + 1)) - 2, width: Int(quotient) + 1)
                writer.write(rest, width: parameter)
            } else {
                let width = RiceStream.width(of: rest)
                writer.write((1 << UInt64(RiceStream.escape)) - 1, width: RiceStream.escape)
                writer.write(UInt64(width - 1), width: 6)
                writer.write(rest >> 32, width: max(width - 32, 0))
                writer.write(rest, width: min(width, 32))
            }
        }
    }

    /// Reads `count` values; what lies past the end of the bits is whatever zeros give, which the checksum excludes.
    func read(_ count: Int, from reader: inout BitReader) -> [Int64] {
        guard prediction != .constant else { return [Int64](repeating: base, count: count) }
        var values: [Int64] = []
        values.reserveCapacity(count)
        var before = base
        for _ in 0..<count {
            let quotient = reader.ones(limit: RiceStream.escape)
            let rest: UInt64
            if quotient < RiceStream.escape {
                rest = UInt64(quotient) &<< UInt64(parameter) | reader.read(width: parameter)
            } else {
                let width = Int(reader.read(width: 6)) + 1
                rest = reader.read(width: max(width - 32, 0)) &<< 32 | reader.read(width: min(width, 32))
            }
            switch prediction {
            case .minimum: values.append(before &+ Int64(bitPattern: rest))
            case .previous:
                before = before &+ RiceStream.unzigzag(rest)
                values.append(before)
            case .constant, .median: values.append(before &+ RiceStream.unzigzag(rest))
            }
        }
        return values
    }

    static func zigzag(_ value: Int64) -> UInt64 { UInt64(bitPattern: (value << 1) ^ (value >> 63)) }
    static func unzigzag(_ value: UInt64) -> Int64 { Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1) }
}
