"""test_signals.py TGBENCH MPIEXEC: a signal ends `time` after the cell in flight, a second one at once; one writer at a
time; an unfinished last line is cut before rows are appended."""
import os
import pathlib
import signal
import subprocess
import sys
import time

from launch import LIMIT_S, Bench

LONG = ["broadcast shape=N from=1 to=Pc", "--sizes", "1MiB,2MiB,4MiB", "--direction", "forward", "--ci", "0.001%",
        "--max-reps", "1000000"]


def ranks_of(bench, folder):
    """The processes of a job that writes to this folder."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if words[0].decode() == bench.program and str(folder).encode() in words:
                found.append(int(entry.name))
        except OSError:
            pass
    return found


def start(bench, folder, budget):
    words = [bench.mpiexec, "-n", "2", bench.program, "time", *LONG, "--budget", budget, "--output", str(folder)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(job):
    output, errors = job.communicate(timeout=LIMIT_S)
    return job.returncode, output, [line for line in errors.splitlines() if line.startswith("tgbench:")]


def count(bench, folder):
    cells, samples = bench.rows(folder), bench.rows(folder, "samples")
    bench.check({s["cell"] for s in samples} == {c["cell"] for c in cells}, f"{folder}: samples of other cells")
    bench.check(all(c["status"] == "ok" for c in cells), f"{folder}: status")
    return len(cells)


def first(bench, name, send):
    """A signal in the first of three cells: it is finished, the others are left."""
    folder = bench.folder / name
    job = start(bench, folder, "3s")
    job.stdout.readline()  # "begin 0 ..."
    send(job, folder)
    status, output, errors = ended(job)
    done = count(bench, folder)
    bench.check(bench.stopped(status) and 1 <= done < 3, f"{name}: exit status {status} after {done} cells")
    bench.check(errors == [f"tgbench: ended by a signal before {3 - done} of 3 cells"], f"{name}: {errors}")
    bench.check(output.count("cell ") == done and output.count("begin ") == done - 1, f"{name}: {output}")


def second(bench):
    folder = bench.folder / "second"
    job = start(bench, folder, "300s")
    job.stdout.readline()
    rank = ranks_of(bench, folder)[0]
    os.kill(rank, signal.SIGTERM)
    time.sleep(0.2)
    os.kill(rank, signal.SIGTERM)
    status, _, _ = ended(job)
    bench.check(status not in (0, 3), f"second: exit status {status}")
    bench.check(bench.rows("second") == [], "second: a row of the cell in flight")


def two_writers(bench):
    folder = bench.folder / "two"
    job = start(bench, folder, "300s")
    job.stdout.readline()
    status, output, errors = bench.run(1, "time", "broadcast shape=8 from=1 to=Pc", "--output", str(folder))
    job.send_signal(signal.SIGUSR1)
    os.kill(ranks_of(bench, folder)[0], signal.SIGTERM)
    ended(job)
    bench.check((status, output, len(errors)) == (2, "", 1), f"two writers: {status} {output} {errors}")
    bench.check("another program writes there; expected" in errors[0], f"two writers: {errors}")


def torn(bench):
    words = ["time", "broadcast shape=8 from=1 to=Pc", "--direction", "forward", "--output", "torn"]
    bench.run(1, *words)
    for name in ("cells", "samples"):
        path = bench.folder / "torn" / f"{name}.csv"
        text = path.read_text(encoding="ascii")
        path.write_text(text + text.splitlines()[-1][:-3], encoding="ascii")
    bench.check(bench.run(1, *words)[0] == 0, "torn: exit status")
    bench.check([row["cell"] for row in bench.rows("torn")] == ["0", "1"], "torn: numbers of cells")
    count(bench, "torn")


def main(program, mpiexec):
    bench = Bench(program, mpiexec)
    first(bench, "launcher", lambda job, folder: job.send_signal(signal.SIGUSR1))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        first(bench, f"rank-{number.name}", lambda job, folder, n=number: os.kill(ranks_of(bench, folder)[-1], n))
    second(bench)
    two_writers(bench)
    torn(bench)
    bench.end()


main(*sys.argv[1:])
