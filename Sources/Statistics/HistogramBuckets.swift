// Which bucket a value belongs to, in integers alone.

extension Histogram {
    /// 2^63 · 2^(s/32), rounded down, for the 32 buckets of an octave.
    @usableFromInline static let octaveBounds: InlineArray<32, UInt64> = [
        0x8000_0000_0000_0000, 0x82CD_8698_AC2B_A1D7, 0x85AA_C367_CC48_7B14, 0x8898_0E80_92DA_8527,
        0x8B95_C1E3_EA8B_D6E6, 0x8EA4_398B_45CD_53C0, 0x91C3_D373_AB11_C336, 0x94F4_EFA8_FEF7_0961,
        0x9837_F051_8DB8_A96F, 0x9B8D_39B9_D54E_5538, 0x9EF5_3260_91A1_11AD, 0xA270_4303_0C49_6818,
        0xA5FE_D6A9_B151_38EA, 0xA9A1_5AB4_EA7C_0EF8, 0xAD58_3EEA_42A1_4AC6, 0xB123_F581_D2AC_258F,
        0xB504_F333_F9DE_6484, 0xB8FB_AF47_62FB_9EE9, 0xBD08_A39F_580C_36BE, 0xC12C_4CCA_6670_9456,
        0xC567_2A11_5506_DADD, 0xC9B9_BD86_6E2F_27A2, 0xCE24_8C15_1F84_80E3, 0xD2A8_1D91_F12A_E45A,
        0xD744_FCCA_D69D_6AF4, 0xDBFB_B797_DAF2_3755, 0xE0CC_DEEC_2A94_E111, 0xE5B9_06E7_7C83_48A8,
        0xEAC0_C6E7_DD24_392E, 0xEFE4_B99B_DCDA_F5CB, 0xF525_7D15_2486_CC2C, 0xFA83_B2DB_722A_033A,
    ]

    /// The bucket of an octave in which the values begin whose six bits behind the highest are the index. So many values
    /// lie in two buckets at most, since a bucket is 2.2 % wide and they are 1.6 % of the octave's start.
    @usableFromInline static let octaveSteps: InlineArray<64, UInt8> = [
        0, 0, 1, 2, 2, 3, 4, 4, 5, 6, 6, 7, 7, 8, 9, 9, 10, 10, 11, 12,
        12, 13, 13, 14, 14, 15, 15, 16, 16, 17, 17, 18, 18, 19, 19, 20, 20, 21, 21, 21,
        22, 22, 23, 23, 24, 24, 25, 25, 25, 26, 26, 27, 27, 27, 28, 28, 29, 29, 29, 30,
        30, 30, 31, 31,
    ]

    /// 2^63 · 2^((2s+1)/64), rounded down: the geometric middle of each bucket of an octave.
    private static let octaveMiddles: InlineArray<32, UInt64> = [
        0x8164_D1F3_BC03_0773, 0x843A_28C3_ACDE_4046, 0x871F_6196_9E8D_1010, 0x8A14_D575_496E_FD9A,
        0x8D1A_DF5B_7E5B_A9E5, 0x9031_DC43_1466_B1DC, 0x935A_2B2F_13E6_E92B, 0x9694_2D37_2018_5A00,
        0x99E0_4593_20B7_FA64, 0x9D3E_D9A7_2CFF_B750, 0xA0B0_510F_B971_4FC2, 0xA435_15AE_09E6_809E,
        0xA7CD_93B4_E965_3569, 0xAB7A_39B5_A93E_D337, 0xAF3B_78AD_690A_4374, 0xB311_C412_A911_2489,
        0xB6FD_91E3_28D1_7791, 0xBAFF_5AB2_133E_45FB, 0xBF17_99B6_7A73_1082, 0xC346_CCDA_2497_6407,
        0xC78D_74C8_ABB9_B15C, 0xCBEC_14FE_F272_7C5C, 0xD063_33DA_EF2B_2594, 0xD4F3_5AAB_CFED_FA1F,
        0xD99D_15C2_78AF_D7B5, 0xDE60_F482_5E0E_9123, 0xE33F_8972_BE8A_5A51, 0xE839_6A50_3C4B_DC68,
        0xED4F_301E_D994_2B84, 0xF281_773C_59FF_B139, 0xF7D0_DF73_0AD1_3BB8, 0xFD3E_0C0C_F486_C174,
    ]

    /// The index of the bucket that holds a value; `zeroIndex` for 0 and for negative values.
    @inlinable @inline(__always)
    public static func bucketIndex(nanoseconds value: Int64) -> Int {
        guard value > 0 else { return zeroIndex }
        let shift = value.leadingZeroBitCount
        let octave = 63 - shift
        let normalised = UInt64(value) &<< UInt64(shift)
        // A power of two is the upper bound of the bucket before its octave.
        if normalised == 1 << 63 { return octave &* 32 &- 1 }
        let step = Int(octaveSteps[Int(truncatingIfNeeded: normalised &>> 57) & 63])
        if step < 31, normalised > octaveBounds[step &+ 1] { return octave &* 32 &+ step &+ 1 }
        return octave &* 32 &+ step
    }

    /// The least whole number of nanoseconds in a bucket. An index outside `zeroIndex...highestIndex` is clamped.
    ///
    /// Below 46 ns some buckets hold no whole number; their lower bound lies above their upper bound.
    public static func lowerBound(of index: Int) -> Int64 {
        let index = min(max(index, zeroIndex), highestIndex)
        if index < 0 { return index == zeroIndex ? 0 : 1 }
        return Int64(octaveBounds[index % 32] >> UInt64(63 - index / 32)) + 1
    }

    /// The greatest whole number of nanoseconds in a bucket. An index outside `zeroIndex...highestIndex` is clamped.
    public static func upperBound(of index: Int) -> Int64 {
        index >= highestIndex ? .max : lowerBound(of: max(index, zeroIndex) + 1) - 1
    }

    /// What stands for the values of a bucket: the whole number nearest to the geometric middle of its bounds.
    static func middle(of index: Int) -> Int64 {
        let index = min(max(index, zeroIndex), highestIndex)
        if index < 0 { return index == zeroIndex ? 0 : 1 }
        // One bit is kept below the point, to round by.
        let doubled = octaveMiddles[index % 32] >> UInt64(62 - index / 32)
        let rounded = Int64((doubled + 1) >> 1)
        return min(max(rounded, lowerBound(of: index)), max(upperBound(of: index), lowerBound(of: index)))
    }
}
