"""test_auto_cache.py TGBENCH MPIEXEC: --auto-cache FILE. A launch writes what algorithm=auto has chosen, the next one reads
and obeys it, also when somebody has edited it; choices of another MPI library are not used; a file that is none, or that
names an algorithm that is none, gives exit status 2 and one line, and stays as it is."""
import sys

from launch import Bench

CASE = "repartition shape=32x32 from=2x1 to=1x2"
AUTO = CASE + " algorithm=auto"
QUICK = ("--max-reps", "3", "--budget", "50ms")


def chosen(bench, *words):
    status, _, errors = bench.run(2, "time", AUTO, *QUICK, "--output", "out", *words)
    rows = bench.rows("out")[-2:] if status == 0 else []
    return status, {row["direction"]: row["algorithm_chosen"] for row in rows}, errors


def refused(bench, cache, text, named):
    """Both verbs, and a dry run without a launcher."""
    for ranks, words in ((2, ["time", AUTO, *QUICK]), (2, ["check", CASE]), (0, ["time", CASE, "--dry-run", "--ranks", "2"])):
        cache.write_text(text)
        status, output, errors = bench.run(ranks, *words, "--auto-cache", "auto.txt")
        bench.check(status == 2 and not output and len(errors) == 1 and named in errors[0] and "auto.txt" in errors[0],
                    f"{words} with {text!r}: {status}, {output!r}, {errors}")
        bench.check(cache.read_text() == text, f"{words} left the wrong file as it was")


def main():
    bench = Bench(*sys.argv[1:3])
    cache = bench.folder / "auto.txt"
    status, first, errors = chosen(bench, "--auto-cache", "auto.txt")
    bench.check(status == 0 and not errors and len(first) == 2, f"auto without a file: {status}, {errors}")
    lines = cache.read_text().splitlines() if cache.exists() else []
    bench.check(len(lines) == 2 and lines[0].startswith("tensorgauge auto 1, "), f"one choice was written: {lines}")
    if len(lines) < 2:
        bench.end()
    library, choice = lines
    number, to_x, to_y = choice.split()
    bench.check({"forward": to_y, "adjoint": to_x} == first, f"the file says {choice}, the rows {first}")

    status, again, _ = chosen(bench, "--auto-cache", "auto.txt")
    bench.check(status == 0 and again == first, f"the next launch chose {again} instead of {first}")
    cache.write_text(f"{library}\n{number} reference alltoallv\n")
    status, edited, _ = chosen(bench, "--auto-cache", "auto.txt")
    bench.check(edited == {"forward": "alltoallv", "adjoint": "reference"}, f"an edited choice: {edited}")
    bench.check(cache.read_text() == f"{library}\n{number} reference alltoallv\n", "and it is kept")

    cache.write_text(f"tensorgauge auto 1, Another MPI\n{number} teleport teleport\n")
    status, other, _ = chosen(bench, "--auto-cache", "auto.txt")
    bench.check(status == 0 and "teleport" not in other.values(), f"choices of another library: {status}, {other}")
    bench.check(cache.read_text().startswith(library + "\n"), "its file becomes ours")

    cache.unlink()
    status, output, errors = bench.run(2, "check", CASE, "--auto-cache", "auto.txt")
    bench.check(status == 0 and not errors and cache.read_text().startswith(library), f"check writes it: {errors}")
    cache.unlink()
    status, output, errors = bench.run(0, "time", CASE, "--dry-run", "--ranks", "2", "--auto-cache", "auto.txt")
    bench.check(status == 0 and not cache.exists(), f"a dry run writes nothing: {status}, {errors}")

    refused(bench, cache, "", "line 1")
    refused(bench, cache, "op,direction\n", "line 1")
    refused(bench, cache, f"{library}\n{number} mpi\n", "line 2")
    refused(bench, cache, f"{library}\n{number} mpi p2p\n{number} mpi teleport\n", "line 3: algorithm 'teleport'")
    for verb in ("time", "check"):
        status, _, errors = bench.run(2, verb, CASE, "--auto-cache", "none/auto.txt")
        bench.check(status == 2 and len(errors) == 1 and "none/auto.txt" in errors[0], f"no such folder: {errors}")
    bench.end()


main()
