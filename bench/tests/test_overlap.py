"""test_overlap.py TGBENCH MPIEXEC: --overlap yes: a line of overlap.csv for each cell, whose percentage follows from its three
times; the cells themselves have the rows they have without it. Operations without halves have a reason and no numbers."""
import sys

from launch import Bench

TIMES = ["pure", "cpu", "both"]
COLUMNS = ["run_id", "launch", "cell", "samples", *(f"{time}_{part}" for time in TIMES for part in ("us", "lo_us", "hi_us")),
           "overlap_percent", "reason"]
CASES = ["broadcast shape=N from=1 to=Pc", "halo shape=NxN grid=Px1 kernel=3x3 padding=1x1 algorithm=p2p",
         "all_sum_reduce shape=N grid=Pc in-place=yes", "repartition shape=NxN from=Px1 to=1xP accumulate=yes algorithm=persistent"]
WITHOUT = ["affine batch=4 features=16:8 grid=1xP", "raw:MPI_Bcast shape=16 from=1 to=Pc"]


def check_line(bench, row, line):
    what = f"{row['case']} {row['direction']} at {row['ranks']} ranks: {line}"
    bench.check((line["run_id"], line["launch"], line["cell"]) == ("run", row["launch"], row["cell"]), what)
    if row["op"] in ("affine", "raw:MPI_Bcast"):
        empty = [line[name] for name in COLUMNS[4:14]]
        bench.check(empty == [""] * 10 and line["samples"] == "0" and "halves" in line["reason"], what)
        return
    pure, cpu, both = (float(line[f"{time}_us"]) for time in TIMES)
    for time in TIMES:
        lo, middle, hi = (float(line[f"{time}_{part}"]) for part in ("lo_us", "us", "hi_us"))
        bench.check(0 < lo <= middle <= hi, what)
    percent = 100 * max(0, min(1, (pure + cpu - both) / min(pure, cpu)))
    bench.check(6 <= int(line["samples"]) <= 100 and line["reason"] == "", what)
    bench.check(abs(percent - float(line["overlap_percent"])) < 1e-6 * max(1, percent), f"{percent}, {what}")


def check_ranks(bench, ranks):
    status, _, ours = bench.run(ranks, "time", *CASES, *WITHOUT, "--sizes", "8B,64KiB", "--overlap", "yes", "--output", "run",
                                "--max-reps", "10")
    rows, lines = bench.rows("run"), bench.rows("run", "overlap")
    bench.check(status == 0 and {row["status"] for row in rows} == {"ok"}, f"status {status}, {ours}")
    bench.check(len(rows) == len(lines) and len(rows) >= 16, f"{len(rows)} rows, {len(lines)} lines")
    bench.check(list(lines[0]) == COLUMNS, f"columns {list(lines[0])}")
    for row, line in zip(rows, lines):
        check_line(bench, row, line)
    for path in (bench.folder / "run").iterdir():
        path.unlink()
    (bench.folder / "run").rmdir()


def check_absent(bench):
    """Not asked for: no file. Wrong words: one line, nothing written."""
    bench.run(2, "time", CASES[0], "--sizes", "8B", "--overlap", "no", "--output", "run", "--max-reps", "6")
    bench.check(not (bench.folder / "run" / "overlap.csv").exists(), "no file")
    for words, expected in ((["--overlap", "maybe", "--output", "x"], "expected no or yes"), (["--overlap", "yes"], "--output")):
        status, _, ours = bench.run(2, "time", CASES[0], "--sizes", "8B", *words)
        bench.check(status == 2 and len(ours) == 1 and expected in ours[0], f"{words}: {status} {ours}")
    (bench.folder / "run" / "overlap.csv").write_text(",".join(COLUMNS[:-1]) + "\n")
    status, _, ours = bench.run(2, "time", CASES[0], "--sizes", "8B", "--overlap", "yes", "--output", "run")
    bench.check(status == 2 and len(ours) == 1 and "overlap.csv" in ours[0], f"other columns: {status} {ours}")


def main():
    bench = Bench(*sys.argv[1:3])
    for ranks in (1, 2, 3):
        check_ranks(bench, ranks)
    check_absent(bench)
    bench.end()


if __name__ == "__main__":
    main()
