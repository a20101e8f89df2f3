"""test_phases.py TGBENCH MPIEXEC PLANTED: --phases yes: five lines of phases.csv for each cell, which add up; a slow kernel and a
slow message show where they belong; the cells themselves have the rows they have without it. What calls no operator has empty lines."""
import sys

from launch import Bench

PHASES = ["communication", "pack", "kernel", "wait", "total"]
COLUMNS = ["run_id", "launch", "cell", "phase", "min_us", "median_us", "max_us"]
OVER = COLUMNS[4:]
CASES = ["affine batch=4 features=16:8 grid=1xP", "relu shape=64x33 grid=Px1", "network:lenet5-batch batch=12",
         "convolution batch=2 channels=3:4 space=9x9 kernel=3x3 padding=1x1 grid=1x1xPx1 algorithm=p2p",
         "halo shape=65x65 grid=1xP kernel=3x3 padding=1x1 algorithm=p2p"]
WITHOUT = ["raw:MPI_Bcast shape=16 from=1 to=Pc", "machine:gemm shape=8x8 busy=1"]
DELAY_US = 30000


def clear(bench):
    for path in (bench.folder / "run").iterdir():
        path.unlink()
    (bench.folder / "run").rmdir()


def measure(bench, ranks, *words, **environment):
    """(status, lines of standard error, rows of cells.csv, {cell: {phase: {min_us, median_us, max_us}}})"""
    status, _, ours = bench.run(ranks, "time", *words, "--output", "run", "--min-reps", "6", "--max-reps", "6", **environment)
    bench.check(status == 0, f"{words}: status {status}, {ours}")
    rows, cells = bench.rows("run"), {}
    if (bench.folder / "run" / "phases.csv").exists():
        for line in bench.rows("run", "phases"):
            bench.check(list(line) == COLUMNS and line["run_id"] == "run" and line["launch"] == "0", f"{line}")
            cells.setdefault(line["cell"], []).append(line)
        bench.check(list(cells) == [row["cell"] for row in rows], f"lines of {list(cells)}")
        bench.check({tuple(line["phase"] for line in lines) for lines in cells.values()} == {tuple(PHASES)}, "phases")
    clear(bench)
    return status, ours, rows, {cell: {line["phase"]: line for line in lines} for cell, lines in cells.items()}


def check_sums(bench, row, lines):
    what = f"{row['case']} {row['direction']} at {row['ranks']} ranks: {lines}"
    values = {phase: [float(lines[phase][name]) for name in OVER] for phase in PHASES}
    bench.check(all(0 <= low <= middle <= high for low, middle, high in values.values()) and values["total"][0] > 0, what)
    low, middle, high = (sum(values[phase][i] for phase in PHASES[:4]) for i in range(3))
    near = 1e-9 * values["total"][2]
    if int(row["ranks"]) <= 2:  # a median of two is their mean, and means add up
        bench.check(abs(middle - values["total"][1]) <= near, f"{middle} {what}")
    bench.check(low <= values["total"][0] + near and high >= values["total"][2] - near, f"{low} to {high} {what}")
    if row["op"] == "relu":
        bench.check(values["communication"] == values["pack"] == [0, 0, 0] and values["kernel"][0] > 0, what)
    elif row["op"] == "halo":  # in all directions something is packed and sent, or copied
        bench.check(values["communication"][0] > 0 and values["pack"][2] > 0, what)
    elif int(row["ranks"]) > 1:
        bench.check(values["communication"][2] > 0 and values["kernel"][0] > 0 and values["wait"][0] > 0, what)


def check_ranks(bench, ranks):
    status, ours, rows, cells = measure(bench, ranks, *CASES, *WITHOUT, "--phases", "yes")
    bench.check(status == 0 and {row["status"] for row in rows} == {"ok"}, f"status {status}, {ours}")
    said = [line for line in ours if "no numbers" in line]
    bench.check(len(said) == 1 and "raw and machine" in said[0], f"said {ours}")
    for row in rows:
        if row["op"].startswith(("raw:", "machine:")):
            bench.check({line[name] for line in cells[row["cell"]].values() for name in OVER} == {""}, f"{cells[row['cell']]}")
        else:
            check_sums(bench, row, cells[row["cell"]])
    _, _, plain, nothing = measure(bench, ranks, *CASES, *WITHOUT, "--phases", "no")
    keys = ["cell", "case", "direction", "ranks", "samples", "wrong", "messages", "flops", "status"]
    bench.check(nothing == {}, "not asked for: no file")
    same = [[[row[key] for key in keys] for row in some] for some in (rows, plain)]
    bench.check(list(rows[0]) == list(plain[0]) and same[0] == same[1], "the same rows")


def check_planted(bench, planted):
    """In a product of one rank; in a broadcast on the last rank."""
    words = ("--direction", "forward", "--phases", "yes")
    late = {"PLANT_US": str(DELAY_US), "PLANT_RANK": "1"}
    case = "affine batch=4 features=64:64 kernels=openblas"
    for plant, grid, slow in (("slow", "1xP", "kernel"), ("late", "Px1", "communication")):
        status, ours, rows, cells = measure(planted, 2, f"{case} grid={grid}", *words, PLANT=plant, **late)
        planted.check(status == 0 and len(rows) == 1, f"{status} {ours}")
        for lines in cells.values():
            other = "communication" if slow == "kernel" else "kernel"
            worst = {phase: float(lines[phase]["max_us"]) for phase in PHASES}
            planted.check(worst[slow] >= DELAY_US and worst[slow] > max(worst[other], worst["pack"]), f"{plant}: {lines}")
            planted.check(worst["wait"] > worst[other] and float(lines[slow]["min_us"]) < worst[slow], f"{plant}: {lines}")
            check_sums(planted, rows[0], lines)
    bench.checks += planted.checks
    bench.failed += planted.failed
    planted.folder.rmdir()


def check_words(bench):
    for words, expected in ((["--phases", "maybe", "--output", "x"], "expected no or yes"), (["--phases", "yes"], "--output")):
        status, _, ours = bench.run(2, "time", CASES[0], *words)
        bench.check(status == 2 and len(ours) == 1 and expected in ours[0], f"{words}: {status} {ours}")
    (bench.folder / "run").mkdir()
    (bench.folder / "run" / "phases.csv").write_text(",".join(COLUMNS[:-1]) + "\n")
    status, _, ours = bench.run(2, "time", CASES[0], "--phases", "yes", "--output", "run")
    bench.check(status == 2 and len(ours) == 1 and "phases.csv" in ours[0], f"other columns: {status} {ours}")


def main():
    bench, planted = Bench(*sys.argv[1:3]), Bench(sys.argv[3], sys.argv[2])
    for ranks in (1, 2, 3):
        check_ranks(bench, ranks)
    check_planted(bench, planted)
    check_words(bench)
    bench.end()


if __name__ == "__main__":
    main()
