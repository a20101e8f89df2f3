"""test_osu.py TGBENCH MPIEXEC TRACED: --compat osu: OSU's numbers of repetitions by size; its loop, clock call clock
barrier, and nothing else, as the traced program notes it; its means, computed anew from each rank's own times."""
import math
import statistics
import sys

from launch import Bench

RANKS = 3
# case; the size that OSU would print for 8 KiB of the tensor
CASES = [("broadcast shape=2048 from=1 to=Pc", 8192, "MPI_Bcast"),
         ("sum_reduce shape=2048 from=Pc to=1", 8192, "MPI_Reduce"),
         ("raw:MPI_Allreduce shape=2048 grid=Pc", 8192, "MPI_Allreduce"),
         ("reduce_scatter shape=2049 from=Pc to=P", 8196, None),
         ("all_gather shape=6144 from=P to=Pc", 8192, None),
         ("gather shape=6145 from=P to=1", 8196, None),
         ("scatter shape=6144 from=1 to=P", 8192, None)]


def counts(size):
    """(not counted, counted): c/mpi/collective and c/util of OSU Micro-Benchmarks 7."""
    return (100, 1000) if size <= 8192 else (10, 100)


def check_row(bench, row, size, samples):
    what = f"{row['case']}: "
    bench.check(row["osu_size_bytes"] == str(size), f"{what}size {row['osu_size_bytes']}; expected {size}")
    bench.check(row["samples"] == str(counts(size)[1]), f"{what}{row['samples']} samples")
    bench.check((row["status"], row["stop_reason"], row["estimator"], row["batch"]) == ("ok", "fixed", "osu", "1"),
                f"{what}{row['status']} {row['stop_reason']} {row['estimator']}")
    means = [statistics.fmean(float(s["t_us"]) for s in samples if s["rank"] == str(rank)) for rank in range(RANKS)]
    for name, value in (("avg", statistics.fmean(means)), ("min", min(means)), ("max", max(means))):
        bench.check(math.isclose(float(row[f"osu_{name}_us"]), value, rel_tol=1e-9), f"{what}osu_{name}_us")
    slowest = [float(s["t_max_us"]) for s in samples if s["rank"] == "0"]
    bench.check(math.isclose(float(row["t_median_us"]), statistics.median(slowest), rel_tol=1e-9), f"{what}median")


def check_rows(bench):
    words = [case for case, _, _ in CASES]
    status, _, ours = bench.run(RANKS, "time", *words, "--direction", "forward", "--compat", "osu", "--raw", "all",
                                "--output", "run")
    bench.check(status == 0, f"status {status}: {ours}")
    rows, samples = bench.rows("run"), bench.rows("run", "samples")
    bench.check(len(rows) == len(CASES), f"{len(rows)} rows")
    for row, (_, size, _) in zip(rows, CASES):
        check_row(bench, row, size, [s for s in samples if s["cell"] == row["cell"]])


def check_loop(bench, traced, case, call, size):
    """The longest stretch of notes that is nothing but OSU's loop."""
    one = ["clock", call, "clock", "MPI_Barrier"]
    status, _, ours = traced.run(RANKS, "time", case, "--direction", "forward", "--compat", "osu",
                                 TRACE=str(traced.folder / "trace"))
    bench.check(status == 0, f"traced: {status} {ours}")
    for rank in range(RANKS):
        notes = (traced.folder / f"trace.{rank}").read_text(encoding="ascii").split()
        longest, at = 0, 0
        while at < len(notes):
            turns = 0
            while notes[at:at + 4] == one:
                turns, at = turns + 1, at + 4
            longest, at = max(longest, turns), at + 1
        bench.check(longest == sum(counts(size)), f"{case}: {longest} turns of {one} on rank {rank}")


def check_refused(bench):
    for words, named in ((["halo shape=16 grid=P kernel=3", "--compat", "osu"], "halo"),
                         (["send_recv shape=16", "--compat", "osu"], "send_recv"),
                         ([CASES[0][0], "--compat", "imb"], "imb"),
                         ([CASES[0][0], "--compat", "osu", "--max-reps", "7"], "--max-reps"),
                         ([CASES[0][0], "--compat", "osu", "--cache", "cold"], "--cache")):
        status, output, ours = bench.run(2, "time", *words, "--output", "refused")
        bench.check(status == 2 and len(ours) == 1 and named in ours[0] and not output, f"{words}: {status} {ours}")
        bench.check(not (bench.folder / "refused").exists(), f"{words}: wrote a folder")


def main():
    bench, traced = Bench(*sys.argv[1:3]), Bench(sys.argv[3], sys.argv[2])
    traced.folder.rmdir()
    traced.folder = bench.folder
    check_rows(bench)
    for case, size, call in CASES[:3]:
        check_loop(bench, traced, case, call, size)
        check_loop(bench, traced, case.replace("2048", "2049"), call, size + 4)
    check_refused(bench)
    bench.end()


main()
