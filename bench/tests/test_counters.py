"""test_counters.py TGBENCH MPIEXEC: events counted by the real library. The program publishes its own bytes, messages and
flops; read back through PAPI and summed over the ranks, they are the row's. An event that nobody has leaves empty cells
and a reason, said once, and changes nothing else."""
import json
import sys

from launch import Bench

OWN = "sde:::TENSORGAUGE::"
COLUMNS = ["run_id", "launch", "cell", "event", "min", "median", "max", "reason"]
CASES = ["broadcast shape=35 from=1 to=Pc algorithm=reference", "sum_reduce shape=35 from=Pc to=1 algorithm=reference",
         "all_gather shape=35 from=P to=Pc algorithm=reference", "reduce_scatter shape=35 from=Pc to=P algorithm=reference",
         "repartition shape=7x5 from=Px1 to=1xP algorithm=reference", "gather shape=35 from=P to=1 algorithm=reference",
         "halo shape=16x6 grid=Px1 kernel=3x1 padding=1x0 algorithm=reference",
         "all_sum_reduce shape=35 grid=Pc algorithm=reference", "affine batch=4 features=16:8 grid=1xP",
         "halo shape=16x6 grid=Px1 kernel=3x1 padding=1x0 in-place=yes algorithm=reference", "broadcast shape=9 from=1 to=Pc"]
# What a row says of all ranks, and where our events cannot know their part of it.
KNOWN = {"bytes": ("moved_bytes", lambda row: row["op"] not in ("all_sum_reduce", "affine") or row["moved_bytes"] == "0"),
         "messages": ("messages", lambda row: row["messages"] != ""), "flops": ("flops", lambda row: row["flops"] != "")}
ABSENT = ["NO_SUCH_EVENT", "no_such_component:::EVENT"]


def sum_over(ranks, count):
    """Of up to three ranks, from the minimum, the median and the maximum."""
    lo, middle, hi = (float(count[name]) for name in ("min", "median", "max"))
    return {1: lo, 2: lo + hi, 3: lo + middle + hi}[ranks]


def check_own(bench, row, counts):
    ranks = int(row["ranks"])
    for name, (column, known) in KNOWN.items():
        count, what = counts[OWN + name], f"{name} of {row['case']} {row['direction']} at {ranks} ranks"
        if not known(row):
            bench.check(count["min"] == count["median"] == count["max"] == "" and "not known" in count["reason"], what)
            continue
        bench.check(count["reason"] == "" and count["min"] != "", f"{what}: {count}")
        if count["min"] != "":
            bench.check(sum_over(ranks, count) == float(row[column]), f"{what}: {count}, row {row[column]}")


def check_root(bench, row, counts):
    """A broadcast leaves the root, once for each other rank; backwards each of them sends a part."""
    ranks, moved, count = int(row["ranks"]), int(row["moved_bytes"]), counts[OWN + "bytes"]
    most = moved if row["direction"] == "forward" or ranks == 1 else moved // (ranks - 1)
    bench.check(float(count["max"]) == most and count["min"] == "0", f"bytes of the root: {row['direction']} {ranks}: {count}")


def check_absent(bench, counts):
    for event in ABSENT:
        count = counts[event]
        bench.check([count[name] for name in ("min", "median", "max")] == [""] * 3 and count["reason"] != "", f"{count}")


def check_present(bench, status, ours):
    rows, table = bench.rows("run"), bench.rows("run", "counters")
    bench.check(status == 0 and len(rows) > 40 and {row["status"] for row in rows} == {"ok"}, f"status {status}, {ours}")
    bench.check(list(table[0]) == COLUMNS and {count["run_id"] for count in table} == {"run"}, "columns of counters.csv")
    events = [OWN + name for name in KNOWN] + ABSENT
    bench.check([count["event"] for count in table] == events * len(rows), "events of each cell, in the order given")
    bench.check([count["cell"] for count in table] == [row["cell"] for row in rows for _ in events], "cells")
    for row in rows:
        counts = {count["event"]: count for count in table if count["cell"] == row["cell"]}
        check_own(bench, row, counts)
        if row["op"] == "broadcast":
            check_root(bench, row, counts)
        check_absent(bench, counts)
    for event in ABSENT:
        said = [line for line in ours if event in line]
        bench.check(len(said) == 1 and said[0].startswith("tgbench: not counted: "), f"{event} is said once: {said}")


def check_words(bench):
    case = "broadcast shape=9 from=1 to=Pc"
    for words, *parts in ((("--counters", "own"), "--counters", "--output"), (("--counters", "", "--output", "no"), "--counters"),
                          (("--counters", "own,,flops", "--output", "no"), "empty"),
                          (("--counters", "a b", "--output", "no"), "'a b'"),
                          (("--counters", ",".join(f"E{i}" for i in range(65)), "--output", "no"), "64")):
        status, output, ours = bench.run(0, "time", case, *words)
        bench.check(status == 2 and output == "" and len(ours) == 1, f"{words}: {status} {ours}")
        bench.check(all(part in ours[0] for part in parts), f"{words}: {ours}")
    bench.check(not (bench.folder / "no").exists(), "wrong words wrote something")
    status, _, ours = bench.run(0, "time", case, "--counters", "own", "--dry-run", "--ranks", "2")
    bench.check(status == 0, f"--dry-run looks at the words of --counters: {ours}")


def main():
    bench = Bench(*sys.argv[1:3])
    built = json.loads(bench.run(0, "list", "--json")[1])["build"]["counters"]
    words = [*CASES, "--ranks", "1,2,3", "--max-reps", "10", "--counters", ",".join(["own", *ABSENT, "own"]), "--output"]
    status, _, ours = bench.run(3, "time", *words, "run")
    if "libsde" in built:
        check_present(bench, status, ours)
    else:
        table = bench.rows("run", "counters")
        bench.check(status == 0 and table and not any(count["min"] for count in table), f"{built}: every event is absent")
        bench.check(all(count["reason"] for count in table), "reasons")

    # The rows and samples of a launch that counts have the same shape as those of one that does not.
    status, _, _ = bench.run(2, "time", CASES[0], "--max-reps", "10", "--output", "plain")
    bench.check(status == 0 and not (bench.folder / "plain/counters.csv").exists(), "counters.csv that was not asked for")
    bench.check(list(bench.rows("plain")[0]) == list(bench.rows("run")[0]), "columns of cells.csv")

    # Presets, and what a batch of operations in one repetition comes to.
    status, _, ours = bench.run(1, "time", "raw:memcpy shape=64", "affine batch=4 features=16:8 grid=1x1", "--max-reps", "10",
                                "--counters", "memory,flops,energy", "--output", "presets")
    rows, table = bench.rows("presets"), bench.rows("presets", "counters")
    bench.check(status == 0 and int(rows[1]["batch"]) > 1, f"a batch: {ours}")
    for count in table:
        bench.check((count["reason"] == "") == (count["min"] != ""), f"a number or a reason: {count}")
        if count["event"] == OWN + "flops" and count["cell"] != "0" and "libsde" in built:
            bench.check(float(count["median"]) == float(rows[int(count["cell"])]["flops"]), f"flops of one operation: {count}")
    bench.check(len({count["event"] for count in table}) >= 9, "events of the presets")
    check_words(bench)
    bench.end()


main()
