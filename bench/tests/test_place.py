"""test_place.py TGBENCH MPIEXEC: where the ranks run, as a row and the facts of a launch tell it; --max-mem; the peak of
memory of each cell."""
import json
import os
import sys

from launch import Bench

CASE = "all_sum_reduce shape=8 grid=Pc"
MEMBERS = {"schema", "world_size", "mpi", "clock", "blas", "libraries", "peak_rss_since", "machines", "ranks"}


def cpus_of(binding):
    """The CPUs of a list like 0-3,8."""
    ends = [[int(end) for end in item.split("-")] for item in binding.split(",")]
    return {cpu for item in ends for cpu in range(item[0], item[-1] + 1)}


def launch(bench, ranks, *words, **environment):
    """Rows and facts of a launch."""
    status, output, ours = bench.run(ranks, "time", *words, "--facts", "facts.json", "--output", "run", **environment)
    bench.check(status in (0, 3), f"{ranks} ranks: {words}: status {status}: {ours} {output}")
    rows, facts = bench.rows("run"), json.loads((bench.folder / "facts.json").read_text())
    bench.check(sorted(path.name for path in bench.folder.iterdir()) == ["facts.json", "run"], "files left behind")
    for path in [*(bench.folder / "run").iterdir(), bench.folder / "facts.json"]:
        path.unlink()
    (bench.folder / "run").rmdir()
    return rows, facts, ours


def check_facts(bench, facts, ranks):
    what = f"facts of {ranks} ranks: "
    bench.check(set(facts) == MEMBERS and facts["world_size"] == ranks == len(facts["ranks"]), f"{what}{facts}")
    bench.check(len(facts["machines"]) == 1 and facts["machines"][0]["ranks"] == ranks, f"{what}machines")
    machine = facts["machines"][0]
    bench.check(machine["name"] == os.uname().nodename and len(machine["id"]) == 8, f"{what}{machine}")
    bench.check(machine["cpus"] >= machine["cores"] >= 1 and machine["memory_bytes"] > 1e6, f"{what}{machine}")
    bench.check(facts["mpi"]["thread_level"] in ("single", "funneled", "serialized", "multiple"), f"{what}thread level")
    bench.check(facts["blas"]["threads"] == 1 and machine["blas_core"] != "", f"{what}BLAS")
    bench.check(facts["clock"]["timer_ns"] > 0 and facts["clock"]["source"] in ("raw", "simulated"), f"{what}clock")


def check_binding(bench, ranks, cpus):
    """All ranks may run on `cpus`: what this process hands on to them."""
    rows, facts, _ = launch(bench, ranks, CASE, "--max-reps", "6")
    check_facts(bench, facts, ranks)
    bench.check([cpus_of(r["binding"]) for r in facts["ranks"]] == [cpus] * ranks, f"bindings: {facts['ranks']}")
    cores = min(facts["machines"][0]["cores"], len(cpus))
    for row in rows:
        what = f"{ranks} ranks on CPUs {cpus}: "
        bench.check((row["nodes"], row["ppn"], row["threads"]) == ("1", str(ranks), "1"), f"{what}{row}")
        if len(cpus) == 1 or ranks > len(cpus):
            bench.check(row["oversubscribed"] == str(int(ranks > cores)), f"{what}{row['oversubscribed']}")
        bench.check(row["placement"] == "1 core" or len(cpus) > 1, f"{what}placement {row['placement']}")


def check_yield(bench):
    for value in "01":
        rows, _, _ = launch(bench, 2, CASE, "--max-reps", "6", OMPI_MCA_mpi_yield_when_idle=value)
        if rows[0]["mpi"].startswith("Open MPI"):
            bench.check({row["yield"] for row in rows} == {value}, f"yield {value}: {rows[0]['yield']}")


def check_memory(bench):
    size = "32MiB"
    sizes = ["--sizes", f"8B,{size},16B", "--direction", "forward", "--max-reps", "6"]
    case = "broadcast shape=N from=1 to=Pc"
    sanitizer = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1"}  # holds freed memory back
    rows, facts, _ = launch(bench, 2, case, *sizes, **sanitizer)
    bench.check([row["status"] for row in rows] == ["ok"] * 3, f"all fit: {rows}")
    if facts["peak_rss_since"] == "cell":
        small, large, after = (float(row["peak_rss_MB"]) for row in rows)
        bench.check(large > small + 67.1 > after + 33.5, f"peaks {small} {large} {after} MB")
    rows, _, ours = launch(bench, 2, case, *sizes, "--max-mem", "64MiB")
    bench.check([row["status"] for row in rows] == ["ok", "skipped_mem", "ok"], f"skipped: {rows}")
    bench.check(len(ours) == 1 and "--max-mem" in ours[0] and "134217728 B" in ours[0], f"skipped: {ours}")
    for name in ("samples", "t_plan_us", "t_median_us", "peak_rss_MB", "wrong"):
        bench.check(rows[1][name] == "", f"skipped, and {name} = {rows[1][name]}")
    # 1 TiB can be refused only before it is asked for: the line says what is needed.
    for words, named in (([], "free"), (["--max-mem", "1GiB"], "--max-mem")):
        rows, _, ours = launch(bench, 2, case, "--sizes", "1024GiB", "--direction", "forward", *words)
        bench.check([row["status"] for row in rows] == ["skipped_mem"] and named in ours[0], f"1 TiB: {ours}")
    weights, _, ours = launch(bench, 1, "affine batch=1 features=4096:4096 grid=1x1", "--max-mem", "64MiB")
    bench.check({row["status"] for row in weights} == {"skipped_mem"}, f"weights are memory too: {ours}")


def check_refused(bench):
    for words, named in ((["--facts", "no/such/file"], "no/such/file"), (["--facts", "."], "."),
                         (["--max-mem", "0B"], "0B"), (["--max-mem", "much"], "much")):
        status, output, ours = bench.run(2, "time", CASE, *words, "--output", "refused")
        bench.check(status == 2 and len(ours) == 1 and named in ours[0] and not output, f"{words}: {status} {ours}")
        bench.check(not list(bench.folder.iterdir()), f"{words}: wrote files")


def main():
    bench = Bench(*sys.argv[1:3])
    all_cpus = os.sched_getaffinity(0)
    for ranks in (1, 2, 3, 4):
        check_binding(bench, ranks, all_cpus)
    os.sched_setaffinity(0, {min(all_cpus)})
    for ranks in (1, 2):
        check_binding(bench, ranks, {min(all_cpus)})
    os.sched_setaffinity(0, all_cpus)
    check_yield(bench)
    check_memory(bench)
    check_refused(bench)
    bench.end()


main()
