// The crafted captures beside the repository and what is right for each: 30 ms to the server, 20 ms to the client.

/// One crafted file's right answer.
struct CraftedCapture: Sendable {
    var file: String
    var retransmissions: UInt64 = 0
    var outOfOrder: UInt64 = 0
    var duplicates: UInt64 = 0
    /// Samples as `Analysis.lines` writes them.
    var lines: [String]

    private static let opened = ["tcp_handshake server syn 30.0", "tcp_handshake client syn 20.0"]
    private static let clean = opened + ["tcp_data server seq 30.0", "tcp_data client seq 20.0"]

    static let all: [CraftedCapture] = [
        CraftedCapture(file: "01_clean_ts.pcap", lines: clean),
        CraftedCapture(file: "02_clean_nots.pcap", lines: clean),
        CraftedCapture(file: "03_rto_nots.pcap", retransmissions: 1, lines: opened),
        CraftedCapture(file: "04_rto_ts.pcap", retransmissions: 1, lines: opened + ["tcp_data server timestamp 30.0"]),
        CraftedCapture(
            file: "05_spurious_ts.pcap", retransmissions: 1,
            lines: opened + ["tcp_data server timestamp 220.0 [spurious]", "tcp_data server timestamp 30.0"]),
        CraftedCapture(file: "06_idle_echo_ts.pcap", lines: opened + ["tcp_data client seq 20.0"]),
        CraftedCapture(
            file: "07_syn_rexmt_ts.pcap", retransmissions: 1,
            lines: ["tcp_handshake server timestamp 30.0", "tcp_handshake client syn 20.0"]),
        CraftedCapture(
            file: "08_syn_rexmt_nots.pcap", retransmissions: 1,
            lines: ["tcp_handshake server syn ambiguous [bounds_us=30000..1030000]", "tcp_handshake client syn 20.0"]),
        CraftedCapture(
            file: "09_synack_rexmt_nots.pcap", retransmissions: 1,
            lines: ["tcp_handshake server syn 30.0", "tcp_handshake client syn ambiguous [bounds_us=20000..1020000]"]),
        CraftedCapture(
            file: "10_seqwrap_nots.pcap",
            lines: opened + ["tcp_data server seq 30.0", "tcp_data server seq 30.0", "tcp_data server seq 30.0"]),
        CraftedCapture(file: "11_delack_nots.pcap", lines: opened + ["tcp_data server seq 30.0"]),
        CraftedCapture(file: "12_delack_ts.pcap", lines: opened + ["tcp_data server seq 30.0"]),
        CraftedCapture(
            file: "13_keepalive_nots.pcap",
            lines: clean + ["tcp_keepalive server seq 30.0", "tcp_keepalive server seq 30.0"]),
        CraftedCapture(file: "14_keepalive_ts.pcap", lines: clean + ["tcp_keepalive server seq 30.0"]),
        CraftedCapture(file: "15_sack_nots.pcap", retransmissions: 1, lines: opened + ["tcp_data server sack 30.0"]),
        CraftedCapture(file: "16_hole_before_cp_nots.pcap", outOfOrder: 1, lines: opened),
        CraftedCapture(file: "17_onesided_c2s_ts.pcap", lines: ["tcp_handshake full syn 50.0 [one_sided]"]),
        CraftedCapture(file: "18_tsval_zero.pcap", lines: opened + ["tcp_data server seq 30.0"]),
        CraftedCapture(file: "19_tswrap.pcap", lines: clean),
        CraftedCapture(
            file: "20_coarse_ts.pcap", lines: opened + [String](repeating: "tcp_data server seq 30.0", count: 10)),
        CraftedCapture(file: "21_ecn_syn_ts.pcap", lines: opened),
        CraftedCapture(
            file: "22_port_reuse_nots.pcap",
            lines: clean + [
                "tcp_data server seq 30.0", "tcp_data client seq 20.0", "tcp_handshake server syn 30.0",
                "tcp_handshake client syn 20.0", "tcp_data server seq 30.0",
            ]),
        CraftedCapture(file: "23_gro_nots.pcap", lines: opened + ["tcp_data server seq 30.0"]),
        CraftedCapture(file: "24_midstream_ts.pcap", lines: ["tcp_data server seq 30.0", "tcp_data client seq 20.0"]),
        CraftedCapture(
            file: "25_midstream_nots.pcap", lines: ["tcp_data server seq 30.0", "tcp_data client seq 20.0"]),
        CraftedCapture(
            file: "26_tfo.pcap",
            lines: [
                "tcp_handshake server syn 30.0", "tcp_data server seq 30.0", "tcp_handshake client syn 20.0",
                "tcp_data client seq 20.0",
            ]),
        CraftedCapture(file: "27_refused.pcap", lines: ["tcp_refused server syn 30.0"]),
        CraftedCapture(file: "28_dup_mirror_nots.pcap", duplicates: 7, lines: clean),
        CraftedCapture(file: "30_vlan.pcap", lines: clean),
        CraftedCapture(file: "31_qinq.pcap", lines: clean),
        CraftedCapture(file: "32_pppoe.pcap", lines: clean),
        CraftedCapture(file: "33_gre.pcap", lines: clean),
        CraftedCapture(file: "34_ipip.pcap", lines: clean),
        CraftedCapture(file: "35_vxlan.pcap", lines: clean),
        CraftedCapture(file: "36_mpls.pcap", lines: clean),
        CraftedCapture(file: "37_ipv6.pcap", lines: clean),
        CraftedCapture(file: "38_ipv6_ext.pcap", lines: clean),
        CraftedCapture(file: "39_raw.pcap", lines: clean),
        CraftedCapture(file: "40_sll.pcap", lines: clean),
        CraftedCapture(file: "41_sll2.pcap", lines: clean),
        CraftedCapture(file: "42_null.pcap", lines: clean),
        CraftedCapture(file: "43_clean_ts.pcapng", lines: clean),
        CraftedCapture(file: "44_nsec.pcap", lines: clean),
        CraftedCapture(file: "45_frag4.pcap", lines: clean),
        CraftedCapture(file: "60_dns_simple.pcap", lines: ["dns server transaction 20.0"]),
        CraftedCapture(file: "61_dns_rexmt.pcap", lines: ["dns server transaction 2020.0 [retries=1,last_us=20000]"]),
        CraftedCapture(
            file: "62_dns_rexmt_both.pcap", duplicates: 1,
            lines: ["dns server transaction 2020.0 [retries=1,last_us=20000]"]),
        CraftedCapture(file: "63_dns_nxdomain.pcap", lines: ["dns server transaction 30.0 [NXDOMAIN]"]),
        CraftedCapture(file: "64_dns_noans.pcap", lines: ["dns server transaction timeout"]),
        CraftedCapture(file: "65_dns_orphan.pcap", lines: ["dns server transaction orphan"]),
        CraftedCapture(
            file: "66_dns_a_aaaa_same_port.pcap",
            lines: ["dns server transaction 24.9 [NODATA]", "dns server transaction 30.0"]),
        CraftedCapture(
            file: "67_dns_same_id_diff_name.pcap",
            lines: ["dns server transaction 19.0", "dns server transaction 40.0"]),
        CraftedCapture(
            file: "68_dns_wrong_server.pcap", lines: ["dns server transaction orphan", "dns server transaction 20.0"]),
        CraftedCapture(file: "69_dns_tc.pcap", lines: ["dns server transaction 20.0 [truncated]"]),
        CraftedCapture(file: "70_dns_late.pcap", lines: ["dns server transaction 12000.0"]),
    ]
}
