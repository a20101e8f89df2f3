"""test_bounds.py TGBENCH MPIEXEC: machine operations give right values and facts; bounds from a made calibration equal
what the formulas of bench/README.md give by hand; files that are no calibration give one line and exit status 2."""
import csv
import math
import pathlib
import sys

from launch import Bench

HEADER = "schema,op,case,ranks,size_bytes,cache,dtype,t_min_us,t_median_us,flops,status"
KIB, MIB = 1024, 1024 * 1024


def row(op, ranks, busy, size, t_us, more="", dtype="f32", flops="", status="ok"):
    """The median is ten times the fastest repetition, which bounds are made from."""
    case = f"machine:{op} shape=1 busy={busy}{more} dtype={dtype} algorithm=x"
    return f"1,machine:{op},{case},{ranks},{size},warm,{dtype},{t_us!r},{10 * t_us!r},{flops},{status}"


def calibration(ranks, gap_us=0.5):
    """alpha 2 us, gap 0.5 us, link 8 GB/s; memory of one rank 100, 20, 10 GB/s at 16 KiB, 1 MiB, 16 MiB, of all ranks at
    once half of it; product 100 GFLOP/s."""
    rows = []
    if ranks > 1:
        rows = [row("one_way", ranks, 2, 8, 4.0), row("one_way", ranks, 2, 1000000, 400.0),
                row("both_ways", ranks, 2, 8, 3.0), row("both_ways", ranks, 2, 1000000, 125.0),
                row("both_ways", ranks, 2, 1000, 0.001, status="wrong")]  # no result
        if gap_us is not None:
            rows += [row("stream", ranks, 2, 8, 2 * 2 + 15 * gap_us, " messages=16"),
                     row("stream", ranks, 2, 1000000, 4000.0, " messages=16")]
    for busy in {1, ranks}:
        for size, rate in ((16 * KIB, 100), (MIB, 20), (16 * MIB, 10)):
            rows.append(row("copy", ranks, busy, size, size / rate / 1e3 * (2 if busy > 1 else 1)))
            rows.append(row("triad", ranks, busy, size, size / rate / 1e3 * 4))  # slower: the copy counts
    rows.append(row("copy", ranks, 1, 8, 1.0))  # the cost of a call: 1 MiB was faster
    flops = 2 * 512 ** 3
    rows.append(row("gemm", ranks, 1, 3 * MIB, flops / 100e3, flops=flops))
    rows.append(row("gemm", ranks, 1, 3 * MIB, flops / 10e3, dtype="f64", flops=flops))
    return rows


# Half a MiB in f32: 131072 entries. A copy of it reads and writes 1 MiB: 52.4288 us at 20 GB/s, 104.8576 at 10.
# Four ranks that pass a message on: it starts at 0, 0.5 and 1 us at the first rank, and 2 us later is with all: 3 us.
HALF = 131072
LINK = 524288 / 8e3
THREE_QUARTERS = 786432 / (100 - 80 * math.log2(48) / 6) / 1e3
BY_HAND = [  # case, direction, bound, kind; on 4 ranks
    ("broadcast shape=2 from=1 to=Pc algorithm=reference", "forward", 3, "latency"),
    (f"broadcast shape={HALF} from=1 to=Pc algorithm=reference", "forward", LINK, "link"),
    (f"broadcast shape={HALF} from=1 to=Pc algorithm=reference", "adjoint", LINK, "link"),
    # The library may copy from memory to memory: 20 GB/s read and written are 10 GB/s.
    (f"broadcast shape={HALF} from=1 to=Pc algorithm=mpi", "forward", 52.4288, "link"),
    (f"raw:MPI_Bcast shape={HALF} from=1 to=Pc", "forward", 52.4288, "link"),
    (f"sum_reduce shape={HALF} from=Pc to=1 algorithm=reference", "forward", LINK, "link"),
    ("sum_reduce shape=2 from=Pc to=1 algorithm=reference", "forward", 3, "latency"),
    # 2 (4 - 1) / 4 of 512 KiB cross: 98.3 us; every rank reads and writes 1 MiB at once with the others.
    (f"all_sum_reduce shape={HALF} grid=Pc algorithm=reference", "forward", 104.8576, "memory"),
    ("all_sum_reduce shape=2 grid=Pc algorithm=reference", "forward", 3, "latency"),
    ("all_sum_reduce shape=2x2 grid=2cx2 algorithm=reference", "forward", 2, "latency"),
    (f"all_gather shape={HALF} from=P to=Pc algorithm=reference", "forward", 0.75 * LINK, "link"),
    (f"reduce_scatter shape={HALF} from=Pc to=P algorithm=reference", "forward", 0.75 * LINK, "link"),
    (f"scatter shape={HALF} from=1 to=P algorithm=reference", "forward", 0.75 * LINK, "link"),
    (f"gather shape={HALF} from=P to=1 algorithm=reference", "forward", 0.75 * LINK, "link"),
    (f"gather shape={HALF} from=P to=1 to-ranks=3 algorithm=reference", "adjoint", 0.75 * LINK, "link"),
    # Of its quarter a rank keeps a quarter.
    ("repartition shape=512x256 from=Px1 to=1xP algorithm=reference", "forward", 3 / 16 * LINK, "link"),
    # A rank in the middle sends to two others: the second message starts 0.5 us later.
    ("halo shape=1024 grid=P kernel=3 padding=1 algorithm=reference", "forward", 2.5, "latency"),
    # Of the calls that work on copies, the last rank's sum needs all; between neighbours one block crosses.
    ("raw:MPI_Scan shape=2 grid=Pc", "forward", 3, "latency"),
    ("raw:MPI_Exscan shape=2 grid=Pc", "forward", 3, "latency"),
    (f"raw:MPI_Scan shape={HALF} grid=Pc", "forward", 104.8576, "memory"),
    (f"raw:MPI_Exscan shape={HALF} grid=Pc", "forward", 52.4288, "link"),
    ("raw:MPI_Barrier grid=Pc", "forward", 3, "latency"),
    ("raw:MPI_Barrier grid=2x2c", "forward", 2, "latency"),
    # Three quarters of 1 MiB: its rate lies between that of 16 KiB and that of 1 MiB, by the logarithm.
    (f"raw:MPI_Allgather shape={HALF} from=P to=Pc", "forward", THREE_QUARTERS, "link"),
    (f"raw:MPI_Reduce_scatter_block shape={HALF} from=Pc to=P", "forward", THREE_QUARTERS, "link"),
    ("raw:MPI_Alltoall shape=4x4 from=Px1 to=1xP", "forward", 3, "latency"),
    (f"send_recv shape={HALF} from-ranks=0 to-ranks=3", "forward", LINK, "link"),
    ("send_recv shape=2 from-ranks=0 to-ranks=3", "adjoint", 2, "latency"),
    # One region is read, one is made of it, on all ranks at once.
    (f"move shape=2x{4 * HALF} grid=1xP", "forward", 104.8576, "memory"),
    (f"clear shape=2x{4 * HALF} grid=1xP", "forward", 104.8576, "memory"),
    # 2 * 64 * 1024 * 256 operations of one rank.
    ("affine batch=64 features=1024:1024 grid=1xP", "forward", 335.54432, "compute"),
    ("affine batch=64 features=1024:1024 grid=1xP", "backward", 671.08864, "compute"),
    ("affine batch=64 features=1024:1024 grid=1xP dtype=f64", "forward", 3355.4432, "compute"),
]


def close(text, value):
    return text != "" and math.isclose(float(text), value, rel_tol=1e-9)


def check_bound(bench, r, us, kind):
    what = f"{r['case']} {r['direction']}: {r['bound_us']} {r['bound_kind']}; expected {us} {kind}"
    bench.check(close(r["bound_us"], us) and r["bound_kind"] == kind, what)
    fraction = us / float(r["t_median_us"])
    bench.check(close(r["bound_fraction"], fraction), f"{what}: fraction {r['bound_fraction']}")
    bench.check(("above_bound" in r["flags"].split()) == (fraction > 1.05), f"{what}: flags {r['flags']}")


def measure(bench, ranks, calibration_file, words):
    status, output, ours = bench.run(ranks, "time", *words, "--max-reps", "6", "--calibration", calibration_file)
    bench.check(status == 0, f"{words}: status {status} {ours}")
    return list(csv.DictReader(output.splitlines()))


def check_by_hand(bench, good):
    for direction in ("forward", "adjoint", "backward"):
        cases = [line for line in BY_HAND if line[1] == direction]
        rows = measure(bench, 4, good, [case for case, *_ in cases] + ["--direction", direction])
        bench.check(len(rows) == len(cases) > 0, f"{direction}: {len(rows)} rows")
        for r, (_, _, us, kind) in zip(rows, cases):
            check_bound(bench, r, us, kind)


def check_networks(bench, good):
    """An equal share of the operations at 100 GFLOP/s, the sums of biases apart; or the 3 us of a broadcast to 4 ranks,
    where that is more."""
    for direction in ("forward", "backward"):
        rows = measure(bench, 4, good, ["network:lenet5 batch=1", "network:lenet5 batch=64", "--direction", direction])
        bench.check(len(rows) == 2, f"{len(rows)} rows")
        for r in rows:
            share_us = float(r["flops"]) / 4 / 100e3
            bound_us = float(r["bound_us"]) if share_us > 3 else 3
            bench.check(bound_us == 3 or 0 <= 1 - bound_us / share_us < 1e-3, f"{bound_us}; expected {share_us}: {r['case']}")
            check_bound(bench, r, bound_us, "compute" if share_us > 3 else "latency")


def check_others(bench, good):
    # One rank: memory only. Between 16 KiB and 1 MiB, at 256 KiB: two thirds of the way from 100 to 20.
    rows = measure(bench, 1, good, ["raw:memcpy shape=131072", "raw:memcpy shape=32768", "raw:memcpy shape=2",
                                    "broadcast shape=131072 from=1 to=1c", "raw:memcpy shape=8388608", "--direction", "forward"])
    expected = (52.4288, 262144 / (100 / 3 + 40 / 3) / 1e3, 16 / 100e3, 52.4288, 64 * MIB / 10e3)
    for r, us in zip(rows, expected):
        check_bound(bench, r, us, "memory")
    # Of 3 ranks nothing was measured: what 2 can do each, 3 cannot do faster. 2 us later one has it, at 2.5 us the other.
    for r in measure(bench, 3, good, ["broadcast shape=2 from=1 to=Pc algorithm=reference", "--direction", "forward"]):
        check_bound(bench, r, 2.5, "latency")
    # Nothing is known of fewer than 4 ranks; machine operations have no bound; nothing to copy or to send has none.
    only_4 = bench.folder / "only 4.csv"
    only_4.write_text("\n".join([HEADER, *calibration(4)]) + "\n")
    for r in measure(bench, 3, str(only_4), ["broadcast shape=2 from=1 to=Pc", "machine:copy shape=64"]) + \
            measure(bench, 4, good, ["broadcast shape=0 from=1 to=Pc", "machine:one_way shape=64"]):
        bench.check((r["bound_us"], r["bound_kind"], r["bound_fraction"]) == ("", "", ""), f"{r['case']}: has a bound")
    # A machine that is far too slow, and gaps: none is known, or they are as long as a message: ceil(log2 4) alpha.
    for name, gap_us, us in (("no gap", None, 2), ("long gap", 2.0, 4), ("longer gap", 9.0, 4), ("no wait", -0.2, 2)):
        path = bench.folder / f"{name}.csv"
        path.write_text("\r\n".join([HEADER, *calibration(4, gap_us)]) + "\r\n")
        for r in measure(bench, 4, str(path), ["broadcast shape=2 from=1 to=Pc algorithm=reference", "--direction", "forward"]):
            check_bound(bench, r, us, "latency")
    # A simulator may take no time for a copy: such a row says nothing.
    timeless = bench.folder / "timeless.csv"
    timeless.write_text("\n".join([HEADER, row("copy", 2, 1, 64, 0.0), row("one_way", 2, 2, 8, 1.0)]) + "\n")
    for r in measure(bench, 2, str(timeless), ["broadcast shape=131072 from=1 to=Pc", "--direction", "forward"]):
        check_bound(bench, r, 524288 / 0.016 / 1e3, "link")
    slow = bench.folder / "slow.csv"
    slow.write_text("\n".join([HEADER, row("one_way", 2, 2, 8, 1e9)]) + "\n")
    for r in measure(bench, 2, str(slow), ["broadcast shape=2 from=1 to=Pc"]):
        check_bound(bench, r, 5e8, "latency")
        bench.check("above_bound" in r["flags"].split(), f"slow machine: {r['flags']}")


def check_bad_files(bench, good_rows):
    good = "\n".join([HEADER, *good_rows])
    one = row("copy", 2, 1, 64, 1.0)
    texts = {"empty": "", "header only": HEADER + "\n", "no header": one + "\n", "text": "hello\n",
             "short row": good + "\n1,machine:copy\n", "long row": good + "\n" + one + ",x\n",
             "schema": HEADER + "\n" + one.replace("1,", "2,", 1) + "\n", "quote": HEADER + '\n"' + one + "\n",
             "quote inside": HEADER + "\n" + one.replace("warm", 'wa"rm') + "\n",
             "no time": HEADER + "\n" + one.replace("1.0", "", 1) + "\n",
             "negative": HEADER + "\n" + one.replace("1.0", "-1.0", 1) + "\n",
             "not finite": HEADER + "\n" + one.replace("1.0", "inf", 1) + "\n",
             "words": HEADER + "\n" + one.replace("1.0", "1.0us", 1) + "\n",
             "ranks": HEADER + "\n" + one.replace("=x,2,", "=x,0,") + "\n",
             "busy": HEADER + "\n" + one.replace("busy=1", "busy=one") + "\n",
             "no rank": HEADER + "\n" + one.replace("busy=1", "busy=0") + "\n",
             "nothing ok": HEADER + "\n" + one.replace(",ok", ",wrong") + "\n",
             "no machine": HEADER + "\n" + one.replace("machine:copy", "broadcast") + "\n",
             "twice": HEADER + "\n" + HEADER + "\n", "percent": "%s%n%s%n\n%d\n", "zeros": "\0\0\0\n"}
    paths = [bench.folder / "not there.csv", bench.folder, pathlib.Path("/dev/zero"), pathlib.Path("/dev/null")]
    for name, text in texts.items():
        path = bench.folder / f"bad {name}.csv"
        path.write_text(text)
        paths.append(path)
    for number, path in enumerate(paths):
        for ranks, more in ((0, ["--dry-run"]), (2, []))[:1 + (number % 6 == 0)]:
            status, output, ours = bench.run(ranks, "time", "broadcast shape=8 from=1 to=Pc", "--output", "bad", *more,
                                             "--calibration", str(path))
            bench.check(status == 2 and output == "" and len(ours) == 1 and "--calibration" in ours[0] and
                        "expected" in ours[0] or "no column" in "".join(ours), f"{path.name}: {status} {ours}")
            bench.check(len(ours) == 1 and not (bench.folder / "bad").exists(), f"{path.name}: {ours}, something written")


def check_operations(bench):
    """Values, facts and rates of the machine operations themselves."""
    cases = [f"machine:{op} shape={shape}{more}" for op, shape in
             (("one_way", "N"), ("both_ways", "N"), ("stream", "N"), ("copy", "N"), ("triad", "N"), ("gemm", "NxN"))
             for more in ("", " busy=2", " dtype=f64")]
    status, output, _ = bench.run(3, "check", *cases, "--sizes", "1200B", "--ranks", "2,3")
    lines = [line for line in output.splitlines() if line.startswith("ok ") and "algorithm=onednn" not in line]
    bench.check(status == 0 and len(lines) == 2 * len(cases), output)
    rows = measure(bench, 3, str(bench.folder / "good.csv"), [*cases, "--sizes", "1200B"])
    facts = {"one_way": (1200, 2, 2), "both_ways": (1200, 1, 2), "stream": (1200, 16, 17), "copy": (1200, 1, None),
             "triad": (1200, 1, None), "gemm": (1200, 1, None)}
    for r in rows:
        size, trips, messages = facts[r["op"].removeprefix("machine:")]
        t_us, what = float(r["t_median_us"]), r["case"]
        real = int(r["size_bytes"])
        bench.check(r["status"] == "ok" and r["wrong"] == "0" and 0.9 * size <= real <= size, f"{what}: {real} B")
        bench.check(close(r["algbw_GBps"], trips * real / t_us / 1e3), f"{what}: algbw {r['algbw_GBps']}")
        bench.check((r["messages"] == "") == (messages is None) or r["messages"] == "0", f"{what}: {r['messages']} messages")
        bench.check(messages is None or int(r["messages"]) == messages, f"{what}: {r['messages']} messages")
        bench.check((r["busbw_GBps"] != "") == (messages is not None), f"{what}: busbw {r['busbw_GBps']}")
    gemm = [r for r in rows if r["op"] == "machine:gemm" and "dtype=f32" in r["case"]]
    n = int(gemm[0]["shape"].split("x")[0])
    bench.check([float(r["flops"]) for r in gemm] == [3 * 2 * n ** 3, 2 * 2 * n ** 3], f"flops of {n}: {gemm[0]['flops']}")
    for words in ("machine:one_way shape=8 busy=3", "machine:one_way shape=8 busy=4", "machine:copy shape=8 busy=0",
                  "machine:copy shape=8 busy=some", "machine:stream shape=8 messages=0", "machine:gemm shape=8",
                  "machine:gemm shape=8x9", "machine:copy shape=8 messages=4", "machine:gemm shape=8x8 dtype=i32"):
        status, output, ours = bench.run(3, "time", words)
        bench.check(status == 2 and output == "" and len(ours) == 1, f"{words}: {status} {ours}")
    status, _, ours = bench.run(1, "time", "machine:one_way shape=8")
    bench.check(status == 2 and "2 ranks" in "".join(ours), f"one rank: {ours}")


def main():
    bench = Bench(*sys.argv[1:3])
    rows = calibration(1) + calibration(2) + calibration(4)
    good = bench.folder / "good.csv"
    good.write_text("\n".join([HEADER, *rows]) + "\n")
    check_operations(bench)
    check_by_hand(bench, str(good))
    check_networks(bench, str(good))
    check_others(bench, str(good))
    check_bad_files(bench, rows)
    bench.end()


main()
