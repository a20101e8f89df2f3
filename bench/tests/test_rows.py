"""test_rows.py TGBENCH MPIEXEC COLUMNS: rows of `time`: every column in its order; each cell's statistics computed anew
from its samples; the case of a row, pasted, is the same cell; rows are appended and numbered on."""
import csv
import json
import math
import statistics
import sys

from launch import Bench, cells_file

CASES = ["broadcast shape=N from=1 to=Pc", "all_sum_reduce shape=N grid=Pc dtype=i32", "affine batch=4 features=16:8 grid=1xP",
         "halo shape=16x6 grid=Px1 kernel=3x1 padding=1x0", "raw:MPI_Allreduce shape=N grid=Pc", "raw:memcpy shape=N",
         "sum_reduce shape=12 from=Pc to=1 accumulate=yes", "move shape=2xN grid=1xP"]
MPI4 = [("broadcast shape=8 from=1 to=Pc", "persistent-collective"),
        ("repartition shape=4x6 from=Px1 to=1xP", "persistent-collective"),
        ("send_recv shape=77 to-ranks=1", "partitioned"),
        ("halo shape=16x6 grid=Px1 kernel=3x1 padding=1x0 partitions=3", "partitioned")]
LOCAL = ("raw:memcpy", "move")  # nothing crosses between ranks
SAMPLE_COLUMNS = ["schema", "run_id", "launch", "cell", "repetition", "t_max_us", "slowest_rank", "t_min_us",
                  "fastest_rank"]
PHASES = ["start", "plan", "validation", "warm_up", "timed", "counted", "overlap", "breakdown", "rows"]
ASKED_FOR = ("counted", "overlap", "breakdown")
# 95 % ranks of the median for n repetitions, counted from 1 (Le Boudec's table)
KNOWN_RANKS = {6: (1, 6), 10: (2, 9), 20: (6, 15), 50: (18, 33), 100: (40, 61)}


def same(text, value):
    return text != "" and math.isclose(float(text), value, rel_tol=1e-9, abs_tol=1e-9)


def check_statistics(bench, row, samples):
    times = [float(s["t_max_us"]) for s in samples]
    n, what = len(times), f"cell {row['cell']} {row['case']}"
    bench.check(n == int(row["samples"]) > 0, f"{what}: {n} samples")
    bench.check([int(s["repetition"]) for s in samples] == list(range(n)), f"{what}: repetitions")
    bench.check(same(row["t_median_us"], statistics.median(times)), f"{what}: median {row['t_median_us']}")
    bench.check(same(row["t_min_us"], min(times)) and same(row["t_max_us"], max(times)), f"{what}: extremes")
    bench.check(same(row["t_mean_us"], statistics.fmean(times)), f"{what}: mean")
    bench.check(n < 2 or same(row["t_sd_us"], statistics.stdev(times)), f"{what}: sd {row['t_sd_us']}")
    bench.check((row["t_p95_us"] != "") == (n >= 20) and (row["t_p99_us"] != "") == (n >= 100), f"{what}: percentiles")
    if n in KNOWN_RANKS:
        lo, hi = (sorted(times)[rank - 1] for rank in KNOWN_RANKS[n])
        bench.check(same(row["ci_lo_us"], lo) and same(row["ci_hi_us"], hi), f"{what}: interval")
    ranks = range(int(row["ranks"]))
    slowest = [int(s["slowest_rank"]) for s in samples]
    bench.check(all(r in ranks for r in slowest), f"{what}: slowest rank of a sample")
    bench.check(slowest.count(int(row["slowest_rank"])) == max(map(slowest.count, ranks)), f"{what}: slowest rank")
    bench.check(all(float(s["t_min_us"]) <= float(s["t_max_us"]) for s in samples), f"{what}: t_min above t_max")


def check_row(bench, row, launched):
    what = f"cell {row['cell']} {row['case']}"
    bench.check(row["schema"] == "1" and row["run_id"] == "run" and row["status"] == "ok", f"{what}: {row['status']}")
    bench.check(row["wrong"] == "0" and int(row["world_size"]) == launched, what)
    bench.check((row["adjoint_gap"] == "") == row["op"].startswith("raw:"), f"{what}: adjoint gap")
    bench.check(row["adjoint_gap"] in ("", "0"), f"{what}: adjoint gap {row['adjoint_gap']}")
    bench.check(row["batch"] == "1" or row["ranks"] == "1" or row["op"] in LOCAL, f"{what}: batched")
    bench.check(row["ranks"] != "1" and row["op"] not in LOCAL or row["busbw_GBps"] == "", f"{what}: nothing crosses")
    bench.check(row["oversubscribed"] in "01" and row["yield"] in "01" and row["placement"] != "", what)
    bench.check(float(row["osu_min_us"]) <= float(row["osu_avg_us"]) <= float(row["osu_max_us"]), f"{what}: OSU")
    if float(row["t_median_us"]) > 0:
        bench.check(same(row["algbw_GBps"], int(row["size_bytes"]) / float(row["t_median_us"]) / 1e3), f"{what}: algbw")
    for empty in ("bound_us", "bound_kind", "bound_fraction"):
        bench.check(row[empty] == "", f"{what}: {empty}")
    open_choice = row["algorithm"] == "auto" or "kernels=auto" in row["case"]
    bench.check((row["algorithm_chosen"] != "") == open_choice, f"{what}: {row['algorithm_chosen']} chosen")
    bench.check(row["algorithm_chosen"] != "auto", f"{what}: auto has chosen itself")


def read_run(bench, columns):
    """Rows and samples by cell; checks the headers and that no sample is without a cell."""
    cells, samples = bench.rows("run"), bench.rows("run", "samples")
    bench.check(list(cells[0]) == columns, f"columns of cells.csv: {list(cells[0])}")
    bench.check(list(samples[0]) == SAMPLE_COLUMNS, "columns of samples.csv")
    by_cell = {row["cell"]: [] for row in cells}
    bench.check(len(by_cell) == len(cells), "two rows with one number")
    for sample in samples:
        bench.check(sample["cell"] in by_cell, f"samples without a cell: {sample}")
        by_cell.get(sample["cell"], []).append(sample)
    return cells, by_cell


def check_pasted(bench, row):
    words = ["--direction", row["direction"], "--ranks", row["ranks"], "--dry-run", "--json"]
    status, output, ours = bench.run(0, "time", row["case"], *words)
    bench.check(status == 0 and f'"case": "{row["case"]}"' in output, f"pasted: {row['case']}: {ours}")


def check_phases(bench, line, cells):
    word, *pairs = line.split()
    values = dict(pair.split("=") for pair in pairs)
    bench.check(word == "phases_s" and list(values) == PHASES + ["cells"], f"phases: {line}")
    bench.check(int(values["cells"]) == cells and all(float(values[name]) > 0 for name in PHASES if name not in ASKED_FOR),
                f"phases: {line}")
    bench.check({float(values[name]) for name in ASKED_FOR} == {0}, f"nothing was counted: {line}")


def check_lacking(bench):
    """An algorithm of MPI 4 stands in one of two lists; one that the MPI library lacks makes a row that says so."""
    _, text, _ = bench.run(0, "list", "--json")
    listed = {o["name"]: o for o in json.loads(text)["operations"]}
    for case, name in MPI4:
        operation = listed[case.split()[0]]
        lacking = name in operation["lacking"]
        bench.check(lacking != (name in operation["algorithms"]), f"{case}: {name} stands in one list")
        status, output, errors = bench.run(2, "time", f"{case} algorithm={name}", "--max-reps", "10")
        rows = list(csv.DictReader(output.splitlines()))
        bench.check(status == (3 if lacking else 0) and len(errors) == len(rows) * lacking, f"{case}: {status} {errors}")
        bench.check({row["status"] for row in rows} == {"unsupported" if lacking else "ok"}, f"{case}: status of {name}")
        bench.check({row["algorithm"] for row in rows} == {name}, f"{case}: algorithm")
        for row in rows:
            check_pasted(bench, row)
            bench.check((" partitions=" in row["case"]) == (name == "partitioned"), f"{row['case']}: partitions")
        _, output, _ = bench.run(2, "check", f"{case} algorithm={name}")
        bench.check(output.startswith("n/a" if lacking else "ok"), f"{case}: {output}")


def check_raw(bench):
    """What moves in calls that are no operator's, and a call that the library may lack: a row all the same."""
    cases = ["raw:MPI_Barrier grid=Pc", "raw:MPI_Scan shape=100 grid=Pc", "raw:MPI_Exscan shape=10x10 grid=1x2c",
             "raw:MPI_Allgather shape=101 from=1 to=1c", "raw:MPI_Alltoall shape=6x6 from=Px1 to=1xP"]
    status, output, ours = bench.run(3, "time", *cases, "raw:MPI_Bcast_init shape=100 from=1 to=Pc", "--max-reps", "10")
    *rows, twin = csv.DictReader(output.splitlines())
    moved = [(row["size_bytes"], row["moved_bytes"], row["max_rank_bytes"]) for row in rows]
    bench.check(moved == [("0", "0", "0"), ("400", "800", "400"), ("400", "400", "400"), ("404", "0", "0"), ("144", "96", "32")],
                f"moved: {moved}")
    bench.check(all(row["status"] == "ok" and float(row["t_median_us"]) > 0 and row["wrong"] == "0" for row in rows), f"{rows}")
    bench.check([row["busbw_GBps"] != "" for row in rows] == [False, True, True, False, True], "busbw")
    lacks = twin["mpi"].startswith("Open MPI v4")
    bench.check(twin["status"] == ("unsupported" if lacks else "ok") and (twin["t_median_us"] == "") == lacks, f"{twin}")
    bench.check(status == (3 if lacks else 0) and any("raw:MPI_Bcast_init: " in line for line in ours) == lacks, f"{status} {ours}")


def main():
    bench = Bench(*sys.argv[1:3])
    check_raw(bench)
    with open(sys.argv[3], newline="", encoding="ascii") as file:
        columns = [row["name"] for row in csv.DictReader(file)]
    status, output, _ = bench.run(4, "time", *CASES, "--sizes", "8B,4001B", "--ranks", "1,2,4", "--output", "run",
                                  "--max-reps", "100", "--budget", "20s")
    cells, samples = read_run(bench, columns)
    bench.check(status == 0 and len(cells) == 66, f"status {status}, {len(cells)} cells; expected 66")
    lines = [line.split() for line in output.splitlines() if line.startswith(("begin ", "cell "))]
    bench.check([words[:2] for words in lines] == [[word, r["cell"]] for r in cells for word in ("begin", "cell")], "progress")
    for words, row in zip((words for words in lines if words[0] == "cell"), cells):
        median, lo, hi = (float(row[name] or "nan") for name in ("t_median_us", "ci_lo_us", "ci_hi_us"))
        reached = "-" if math.isnan(lo) or median == 0 else f"{100 * max(hi - median, median - lo) / median:.1f}"
        said = ["ok", f"{median:.3f}", "us", f"+-{reached}%", f"({row['samples']}", "reps)"]
        bench.check(words[3:9] == said, f"progress of cell {row['cell']}: {words[3:9]}, not {said}")
    check_phases(bench, output.splitlines()[-1], len(cells))
    for row in cells:
        check_row(bench, row, 4)
        check_statistics(bench, row, samples[row["cell"]])
    for row in cells[::7]:
        check_pasted(bench, row)

    status, _, _ = bench.run(1, "time", "raw:memcpy shape=64", "--output", "run", "--min-reps", "20", "--max-reps", "20",
                             "--launch", "3")
    cells, samples = read_run(bench, columns)
    bench.check(status == 0 and cells[-1]["cell"] == "66" and cells[-1]["launch"] == "3", "appended")
    bench.check(cells[-1]["samples"] == "20" and cells[-1]["stop_reason"] == "fixed", "a fixed number of repetitions")
    check_statistics(bench, cells[-1], samples["66"])

    plan = cells_file(bench.folder / "plan.tsv",
                      [(0, 101, 2, "strong", "adjoint", 4096, "broadcast shape=N from=1 to=Pc"),
                       (1, 102, 2, "weak", "forward", 4096, "repartition shape=NxN from=Px1 to=1xP"),
                       (1, 103, 3, "size", "forward", "", "broadcast shape=7 from=1 to=Pc"),
                       (1, 104, 2, "size", "backward", "", "affine batch=2 features=8:8 grid=1x2")])
    status, _, _ = bench.run(2, "time", "--cells", plan, "--launch", "1", "--output", "run", "--max-reps", "10")
    cells, samples = read_run(bench, columns)
    bench.check(status == 0 and [row["cell"] for row in cells[67:]] == ["102", "104"], "lines of this launch and ranks")
    bench.check(int(cells[67]["held_x_bytes"]) <= 4096 < int(cells[67]["size_bytes"]), "weak scaling")

    status, output, _ = bench.run(2, "time", CASES[0], "--sizes", "64B", "--direction", "adjoint", "--max-reps", "10")
    row = next(csv.DictReader(output.splitlines()))
    bench.check(status == 0 and list(row) == columns and row["direction"] == "adjoint", "rows on standard output")
    check_lacking(bench)
    bench.end()


main()
