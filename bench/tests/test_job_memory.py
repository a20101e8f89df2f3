"""test_job_memory.py TGBENCH MPIEXEC: a launch in a control group with a memory limit, as a batch system makes one for a job: cells
that need more are skipped, with the limit as the reason. Exit status 77 where no such group can be made."""
import json
import os
import pathlib
import sys

from launch import Bench

LIMIT = 512 * 2**20  # of the job; a launch of two ranks needs less
FREE_MIN = 2 * LIMIT  # of the machine, so that it is the group that has too little
SIZE = "256MiB"  # on each of two ranks twice x and y: more than the limit


def group_of_this_process():
    """The folder of the group that may limit memory, and the name of the file of its limit."""
    for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
        number, controllers, group = line.split(":", 2)
        for top, name, ours in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory" in controllers.split(",")),
                                ("/sys/fs/cgroup", "memory.max", number == "0")):
            if ours and (pathlib.Path(top) / "cgroup.procs").exists():
                yield pathlib.Path(top + group.rstrip("/")), name


def make_group():
    """A group with the limit, and the group that this process is in. Version 2 allows it only beside a group of processes."""
    why = "no control groups with a memory controller at /sys/fs/cgroup"
    for own, name in group_of_this_process():
        for above in (own, own.parent) if name == "memory.max" else (own,):
            made = above / f"tensorgauge-test-{os.getpid()}"
            try:
                made.mkdir()
            except OSError as error:
                why = str(error)
                continue
            try:
                (made / name).write_text(str(LIMIT))
                (made / "cgroup.procs").write_text("0")
                return made, own, None
            except OSError as error:
                why = str(error)
                made.rmdir()
    return None, None, why


def free_bytes():
    line = next(line for line in pathlib.Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemAvailable:"))
    return int(line.split()[1]) * 1024


def check_limited(bench):
    case = ["time", "broadcast shape=N from=1 to=Pc", "--sizes", f"8B,{SIZE},16B", "--direction", "forward", "--max-reps", "6"]
    status, output, ours = bench.run(2, *case, "--output", "run", "--facts", "facts.json")
    rows, facts = bench.rows("run"), json.loads((bench.folder / "facts.json").read_text())
    bench.check(status in (0, 3), f"status {status}: {ours} {output}")
    bench.check([row["status"] for row in rows] == ["ok", "skipped_mem", "ok"], f"rows: {rows}")
    bench.check(len(ours) == 1 and "within the memory limit of their job or container" in ours[0], f"reason: {ours}")
    bench.check([machine["memory_limit_bytes"] for machine in facts["machines"]] == [LIMIT], f"facts: {facts['machines']}")


def main():
    bench = Bench(*sys.argv[1:3])
    made, own, why = (None, None, "not enough free memory") if free_bytes() < FREE_MIN else make_group()
    if not made:
        print(f"skipped: {why}")
        bench.folder.rmdir()
        sys.exit(77)
    try:
        check_limited(bench)
    finally:
        (own / "cgroup.procs").write_text("0")
        made.rmdir()
    bench.end()


main()
