#!/usr/bin/env python3
"""Compares the RTT samples of `taut analyze` with those of tcptrace, one for one.

usage: compare-tcptrace.py [--taut PROGRAM] [--all] FILE...

Needs tcptrace and tshark (Debian packages of these names). A sample is known by its flow, the first sequence number of the
segment that was timed, and the RTT: ours in nanoseconds, tcptrace's in whole milliseconds, so equal means equal after
cutting ours to milliseconds. What only one of the two says is put under a case of docs/passive-cases.md; what no rule
explains is counted as unexplained and printed. Exit status 1 where there is any.
"""

import argparse
import collections
import gzip
import json
import os
import re
import subprocess
import sys
import tempfile

FIELDS = [
    "frame.time_epoch", "ip.src", "ipv6.src", "ip.dst", "ipv6.dst", "tcp.srcport", "tcp.dstport", "tcp.seq_raw",
    "tcp.ack_raw", "tcp.len", "tcp.flags", "tcp.window_size_value", "frame.number",
]
FIN, SYN, RST, ACK = 1, 2, 4, 16
MODULUS = 1 << 32

Packet = collections.namedtuple("Packet", "time flow seq ack length flags window number")
Sample = collections.namedtuple("Sample", "flow seq ms time kind method rtt")


def nanoseconds(text):
    """Seconds with a fraction, as tshark writes them, without rounding."""
    seconds, _, fraction = text.partition(".")
    return int(seconds) * 10**9 + int((fraction + "0" * 9)[:9])


def read_packets(path):
    """Every TCP segment by tshark, the outermost headers of each, since tcptrace knows no tunnels."""
    command = ["tshark", "-n", "-r", path, "-Y", "tcp", "-T", "fields", "-E", "separator=|", "-E", "occurrence=f"]
    for field in FIELDS:
        command += ["-e", field]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    packets = []
    for line in text.splitlines():
        time, v4, v6, to4, to6, sport, dport, seq, ack, length, flags, window, number = line.split("|")
        if not seq:
            continue
        flow = (v4 or v6, int(sport), to4 or to6, int(dport))
        packets.append(
            Packet(
                nanoseconds(time), flow, int(seq), int(ack or 0), int(length or 0), int(flags, 16), int(window or 0),
                int(number)))
    return packets


def run_tcptrace(path, packets):
    """Samples of tcptrace.

    It writes IPv6 addresses in a short form of its own, so the flow is found by ports and sequence number.
    """
    flows = {(p.flow[1], p.flow[3], p.seq): p.flow for p in packets}
    samples = []
    with tempfile.TemporaryDirectory() as directory:
        text = subprocess.run(
            ["tcptrace", "-n", "-Z", f"--output_dir={directory}", path], capture_output=True, text=True,
            errors="replace", check=True).stdout
        for match in re.finditer(r"^ *\d+: (\S+):(\d+) - (\S+):(\d+) \((\w+)2(\w+)\)", text, re.M):
            one, one_port, two, two_port, a, b = match.groups()
            parties = ((one, int(one_port)), (two, int(two_port)))
            for label, (source, target) in ((f"{a}2{b}", parties), (f"{b}2{a}", parties[::-1])):
                flow = (*source, *target)
                # File names are cut after fourteen bytes.
                file = os.path.join(directory, f"{label}_rttraw.dat"[:14])
                if not os.path.exists(file):
                    continue
                with open(file, encoding="ascii") as lines:
                    for line in lines:
                        seq, ms = line.split()
                        found = flows.get((flow[1], flow[3], int(seq)), flow)
                        samples.append(Sample(found, int(seq), int(ms), None, "", "", None))
    return samples


def run_taut(program, path, packets):
    """Our samples, each with the sequence number of the segment that left `rtt` before it."""
    text = subprocess.run(
        [program, "analyze", "--samples", path], capture_output=True, text=True, check=True).stdout
    sent = collections.defaultdict(list)
    acknowledged = collections.defaultdict(set)
    for packet in packets:
        sent[(packet.flow, packet.time)].append(packet)
        acknowledged[((*packet.flow[2:], *packet.flow[:2]), packet.time)].add(packet.ack)
    samples = []
    for line in text.splitlines():
        sample = json.loads(line)
        if not sample["kind"].startswith("tcp_") or sample.get("rtt_us") is None:
            continue
        time = sample_time(sample["t"])
        rtt = round(sample["rtt_us"] * 1000)
        flow = (sample["src"], sample["sport"], sample["dst"], sample["dport"])
        if sample["kind"] == "tcp_handshake" and sample["side"] == "client":
            # Its line names client and server; what was timed is the server's SYN-ACK.
            flow = (flow[2], flow[3], flow[0], flow[1])
        found = sent.get((flow, time - rtt), [])
        # Where several left at the same time: the one that ends where the acknowledgement does.
        wanted = [p for p in found if p.length or p.flags & (SYN | FIN)] or found
        exact = [p for p in wanted if end(p) in acknowledged[(flow, time)]]
        seq = (exact or wanted)[-1].seq if wanted else None
        if len(exact) > 1:
            acknowledged[(flow, time)].discard(end(exact[-1]))
        samples.append(Sample(flow, seq, rtt // 10**6, time, sample["kind"], sample["method"], rtt))
    return samples


def end(packet):
    """The sequence number behind a segment."""
    return (packet.seq + packet.length + (1 if packet.flags & (SYN | FIN) else 0)) % MODULUS


def sample_time(text):
    """RFC 3339 in UTC, as nanoseconds since 1970."""
    import calendar
    import time as clock

    day, _, fraction = text.rstrip("Z").partition(".")
    return calendar.timegm(clock.strptime(day, "%Y-%m-%dT%H:%M:%S")) * 10**9 + int((fraction + "0" * 9)[:9])


def after(a, b):
    """Modular: a lies after b."""
    return 0 < (a - b) % MODULUS < MODULUS // 2


def explain_ours(sample, by_flow):
    """The case under which tcptrace has no such sample."""
    if sample.method == "sack":
        return "13 SACK"
    if sample.method == "timestamp":
        return "3, 4 told apart by TSecr"
    if sample.kind == "tcp_keepalive":
        return "12 keepalive"
    if sample.kind == "tcp_refused":
        return "24 refused"
    reverse = (*sample.flow[2:], *sample.flow[:2])
    for packet in by_flow[reverse]:
        if packet.time == sample.time and packet.flags & ACK:
            sent = [p for p in by_flow[sample.flow] if p.seq == sample.seq and p.time < sample.time]
            if sent and after(end(sent[-1]), packet.ack):
                return "21 ACK inside a segment"
    if sample.rtt is not None and sample.rtt == 0:
        return "0 ns apart, which tcptrace leaves out"
    return None


def explain_theirs(sample, by_flow):
    """The case under which we have no such sample."""
    own = by_flow[sample.flow]
    copies = [p for p in own if p.seq == sample.seq and (p.length or p.flags & (SYN | FIN))]
    if not copies:
        return "12 keepalive" if any(p.seq == sample.seq for p in own) else None
    first = copies[0]
    if any(p.seq == sample.seq and p is not first for p in copies):
        return "2 sent more than once"
    before = [p for p in own if p.time < first.time and p.length]
    highest = before[0].seq + before[0].length if before else first.seq
    for packet in before:
        if after(packet.seq + packet.length, highest):
            highest = packet.seq + packet.length
    if before and after(highest % MODULUS, first.seq):
        return "14 late, or sent again in other pieces"
    late = [p for p in own if p.time > first.time and p.length and after(end(first), p.seq) and p.time < first.time + 60 * 10**9]
    if late:
        return "14 something below it came later"
    if first.flags & SYN and not first.flags & ACK:
        return "7 SYN"
    return None


def compare(program, path, name, show_all, totals):
    packets = read_packets(path)
    theirs = run_tcptrace(path, packets)
    by_flow = collections.defaultdict(list)
    for packet in packets:
        by_flow[packet.flow].append(packet)
    ours = run_taut(program, path, packets)
    left = collections.defaultdict(list)
    for sample in theirs:
        left[(sample.flow, sample.seq, sample.ms)].append(sample)
    both = 0
    only_ours = []
    for sample in ours:
        candidates = left.get((sample.flow, sample.seq, sample.ms))
        if candidates:
            candidates.pop()
            both += 1
        else:
            only_ours.append(sample)
    only_theirs = [sample for rest in left.values() for sample in rest]
    reasons = collections.Counter()
    unexplained = []
    for side, samples, explain in (("ours", only_ours, explain_ours), ("tcptrace", only_theirs, explain_theirs)):
        for sample in samples:
            reason = explain(sample, by_flow)
            if reason is None or show_all:
                unexplained.append((side, reason, sample))
            reasons[(side, reason or "UNEXPLAINED")] += 1
    flows = len({frozenset([(p.flow[0], p.flow[1]), (p.flow[2], p.flow[3])]) for p in packets})
    print(f"{name}: {len(packets)} segments, {flows} flows; both {both}, only ours {len(only_ours)}, "
          f"only tcptrace {len(only_theirs)}")
    totals.update({"files": 1, "flows": flows, "both": both, "ours": len(only_ours), "theirs": len(only_theirs)})
    for (side, reason), count in sorted(reasons.items()):
        print(f"    {count} only {side}: {reason}")
    for side, reason, sample in unexplained:
        print(f"    {side}: {sample} {reason or ''}")
    return not any(reason == "UNEXPLAINED" for _, reason in reasons)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--taut", default=".build/release/taut", help="the command to compare (default: %(default)s)")
    parser.add_argument("--all", action="store_true", help="print every difference, not only the unexplained ones")
    parser.add_argument("files", nargs="+", metavar="FILE")
    options = parser.parse_args()
    is_clean = True
    totals = collections.Counter()
    for path in options.files:
        with tempfile.NamedTemporaryFile(suffix=".pcap") as plain:
            source = path
            if path.endswith(".gz"):
                # libpcap reads no compressed files.
                with gzip.open(path) as compressed:
                    plain.write(compressed.read())
                plain.flush()
                source = plain.name
            is_clean = compare(options.taut, source, os.path.basename(path), options.all, totals) and is_clean
    print(f"{totals['files']} files, {totals['flows']} flows: {totals['both']} samples in both, "
          f"{totals['ours']} only ours, {totals['theirs']} only tcptrace's")
    sys.exit(0 if is_clean else 1)


if __name__ == "__main__":
    main()
