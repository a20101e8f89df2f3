"""test_turns.py PLANTED MPIEXEC: cells that take turns. PLANTED is tgbench with a broadcast of the MPI library that notes its
calls, and takes longer in waves or on one rank: the order of the calls, the rounds, the rows, and who takes turns with whom."""
import os
import signal
import subprocess
import sys

from launch import LIMIT_S, Bench, cells_file

CASE = "raw:MPI_Bcast shape=%d from=1 to=Pc dtype=i8"
SYNCS = ["barrier", "window", "round-time"]  # the last two announce their starts


def measure(bench, folder, shapes, repetitions, *words, ranks=2, **plant):
    """Broadcasts of so many bytes in turns; rows, and samples by cell."""
    cases = [CASE % shape for shape in shapes]
    status, _, ours = bench.run(ranks, "time", *cases, "--turns", "yes", "--output", folder, "--min-reps", str(repetitions),
                                "--max-reps", str(repetitions), *words, **plant)
    rows, samples = bench.rows(folder), {}
    for sample in bench.rows(folder, "samples"):
        samples.setdefault(sample["cell"], []).append(sample)
    bench.check(status == 0 and len(rows) == len(shapes), f"{folder}: status {status} {ours}")
    for row in rows:
        numbers = [int(sample["repetition"]) for sample in samples[row["cell"]]]
        bench.check(row["status"] == "ok" and row["samples"] == str(repetitions), f"{folder}: {row}")
        bench.check(numbers == list(range(repetitions)), f"{folder}: repetitions {numbers}")
    return rows, [samples[row["cell"]] for row in rows]


def check_order(bench, shapes):
    """Round by round each cell makes one call, and in a whole set of rounds each begins, and follows each, equally often."""
    n, log = len(shapes), bench.folder / "log"
    repetitions = 4 * n
    measure(bench, f"order-{n}", shapes, repetitions, PLANT_LOG=str(log))
    calls = list(map(int, log.read_text(encoding="ascii").split()))
    bench.check(calls[-n:] == shapes, f"{n} cells: checked at the end: {calls[-n:]}")
    timed = calls[-n * (repetitions + 1):-n]
    rounds = [timed[i:i + n] for i in range(0, len(timed), n)]
    bench.check(all(sorted(one) == shapes for one in rounds), f"{n} cells: not in turns: {rounds}")
    bench.check({first: [one[0] for one in rounds].count(first) for first in shapes} == dict.fromkeys(shapes, 4),
                f"{n} cells: who begins: {rounds}")
    pairs = [pair for one in rounds for pair in zip(one, one[1:])]
    counts = {pairs.count((a, b)) for a in shapes for b in shapes if a != b}
    bench.check(len(counts) == 1, f"{n} cells: who follows whom: {rounds}")


def check_rounds(bench):
    """What is slow for as many calls as each cell makes, and then is not, touches the same rounds of both cells, but for those
    in which it begins or ends. Cells one after another would be slow in different ones. (Windows make again what is slow.)"""
    for sync in SYNCS[::2]:
        rows, samples = measure(bench, f"wave-{sync}", [64, 65], 24, "--sync", sync, PLANT="wave", PLANT_CALLS="24", PLANT_US="100000")
        slow = [[float(sample["t_max_us"]) >= 100000 for sample in cell] for cell in samples]
        bench.check(sum(a != b for a, b in zip(*slow)) <= 5 and 0 < sum(slow[0]) < 24, f"{sync}: slow rounds {slow}")
        bench.check({row["stop_reason"] for row in rows} == {"fixed"}, f"{sync}: {rows}")


def check_late(bench):
    """A round with a late repetition is left out for all: both cells keep the same number of rounds."""
    for sync in SYNCS[1:]:
        _, samples = measure(bench, f"late-{sync}", [64, 65, 66], 12, "--sync", sync, "--budget", "1us", ranks=3, PLANT="before",
                             PLANT_US="20000")
        bench.check(len({len(cell) for cell in samples}) == 1, f"{sync}: {[len(cell) for cell in samples]}")


def check_who(bench):
    """Words: the same ranks, direction and size take turns, whatever the order of the cells; their rows stand together."""
    words = ["time", "broadcast shape=N from=1 to=Pc", "sum_reduce shape=N from=Pc to=1", "--sizes", "8B,64B", "--ranks", "1,2"]
    bench.run(2, *words, "--turns", "yes", "--output", "who", "--max-reps", "6")
    bench.run(2, *words, "--output", "plain", "--max-reps", "6")
    rows, plain = bench.rows("who"), bench.rows("plain")

    def key(row):
        return row["ranks"], row["direction"], row["size_bytes"]

    bench.check(len(rows) == 16 and all(key(rows[i]) == key(rows[i + 1]) for i in range(0, 16, 2)), f"neighbours: {rows}")
    bench.check(len({key(row) for row in rows}) == 8 and {rows[0]["op"], rows[1]["op"]} == {"broadcast", "sum_reduce"},
                "every pair is one of different operations")
    bench.check(sorted((row["case"], row["direction"]) for row in rows) == sorted((row["case"], row["direction"]) for row in plain),
                "the cells are the same as without turns")
    bench.check(all({name for name in row if row[name]} - {"adjoint_gap", "peak_rss_MB", "flags"} ==
                    {name for name in other if other[name]} - {"adjoint_gap", "peak_rss_MB", "flags"}
                    for row in rows for other in plain
                    if (row["case"], row["direction"]) == (other["case"], other["direction"])), "the same columns are filled")


def check_file(bench):
    """A file says who takes turns: neighbours with the same number."""
    log = bench.folder / "log"
    lines = [(0, 1, 2, "size", "forward", "", CASE % 64, 5), (0, 2, 2, "size", "forward", "", CASE % 65, 5),
             (0, 3, 2, "size", "forward", "", CASE % 66, ""), (0, 4, 2, "size", "forward", "", CASE % 67, 6)]
    path = cells_file(bench.folder / "turns.tsv", lines, "turn")
    status, output, ours = bench.run(2, "time", "--cells", path, "--output", "file", "--min-reps", "6", "--max-reps", "6",
                                     PLANT_LOG=str(log))
    said = [line.split()[:2] for line in output.splitlines() if line.startswith(("begin ", "cell "))]
    bench.check(status == 0 and said == [["begin", "1"], ["begin", "2"], ["cell", "1"], ["cell", "2"], ["begin", "3"], ["cell", "3"],
                                         ["begin", "4"], ["cell", "4"]], f"file: {status} {said} {ours}")
    calls = list(map(int, log.read_text(encoding="ascii").split()))
    bench.check(calls[calls.index(66) - 14:calls.index(66)] == [64, 65, 65, 64] * 3 + [64, 65], f"file: {calls}")
    bench.check(calls[-7:] == [67] * 7, f"file: the last one is by itself: {calls}")


def check_left_out(bench):
    """All have to fit into memory at the same time; what cannot be planned leaves the others to take turns."""
    status, _, ours = bench.run(2, "time", CASE % 600, CASE % 601, "--turns", "yes", "--max-mem", "4000B", "--output", "room")
    bench.check(status == 3 and {row["status"] for row in bench.rows("room")} == {"skipped_mem"} and len(ours) == 2,
                f"room: {status} {ours}")
    status, _, ours = bench.run(2, "time", CASE % 600, CASE % 601, "--max-mem", "4000B", "--output", "alone", "--max-reps", "6")
    bench.check(status == 0, f"alone: {status} {ours}")


def check_wrong(bench):
    good = CASE % 64
    path = cells_file(bench.folder / "wrong.tsv", [(0, 1, 2, "size", "forward", "", good, "x")], "turn")
    for words, part in ((["time", good, "--turns", "maybe"], "maybe"), (["time", "--cells", path], "'x'"),
                        (["time", "--cells", path, "--turns", "yes"], "--turns"),
                        (["time", *["broadcast shape=N from=1 to=Pc", "sum_reduce shape=N from=Pc to=1"], "--sizes", "8B", "--turns",
                          "yes", "--compat", "osu"], "turns")):
        status, output, ours = bench.run(2, *words)
        bench.check((status, output, len(ours)) == (2, "", 1) and part in ours[0], f"{words}: {status} {ours}")


def check_signal(bench):
    """A signal while cells take turns: all of them are finished, and have rows; the next ones are left."""
    folder = bench.folder / "signal"
    words = [bench.mpiexec, "-n", "2", bench.program, "time", "broadcast shape=N from=1 to=Pc", "sum_reduce shape=N from=Pc to=1",
             "--sizes", "1MiB,2MiB", "--direction", "forward", "--turns", "yes", "--ci", "0.001%", "--max-reps", "1000000", "--budget",
             "4s", "--output", str(folder)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ) as job:
        first = [job.stdout.readline().split()[:2] for _ in range(2)]
        job.send_signal(signal.SIGUSR1)
        output, errors = job.communicate(timeout=LIMIT_S)
    ours = [line for line in errors.splitlines() if line.startswith("tgbench:")]
    bench.check(first == [["begin", "0"], ["begin", "1"]] and output.count("cell ") == 2, f"signal: {first} {output}")
    bench.check(bench.stopped(job.returncode) and ours == ["tgbench: ended by a signal before 2 of 4 cells"], f"signal: {job.returncode} {ours}")
    bench.check([row["status"] for row in bench.rows("signal")] == ["ok", "ok"], "signal: rows")


def main():
    bench = Bench(*sys.argv[1:3])
    for shapes in ([64, 65], [64, 65, 66], [64, 65, 66, 67]):
        check_order(bench, shapes)
    check_rounds(bench)
    check_late(bench)
    check_who(bench)
    check_file(bench)
    check_left_out(bench)
    check_wrong(bench)
    check_signal(bench)
    bench.end()


main()
