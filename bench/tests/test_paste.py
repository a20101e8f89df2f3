"""test_paste.py TGBENCH MPIEXEC TEST_CASES CASES_JSON TEST_OPERATORS SOAK BUILD: what tests print can be pasted. All cases of
primitives.json, random problems, and the command that scripts/soak ends with, which is made to fail, are words that tgbench
takes: check passes, and what must be rejected is rejected by one line."""
import re
import subprocess
import sys

from launch import ALL, LIMIT_S, Bench

MOST_RANKS = 17 if ALL else 8  # cases that need more are read by a dry run only
RANDOM_RANKS, RANDOM_PROBLEMS = (1, 3, 6) if ALL else (1, 3), 60


def output_of(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)


def check_all(bench, ranks, cases):
    """One launch for all cases; each of them must have been checked."""
    status, output, ours = bench.run(ranks, "check", *cases)
    last = output.splitlines()[-1] if output else ""
    bench.check(status == 0 and last.endswith(" 0 failed") and int(last.split()[0]) >= 2 * len(cases),
                f"{ranks} ranks: status {status} {ours} {last}: " +
                "\n".join(line for line in output.splitlines() if line.startswith("WRONG")))


def check_file(bench, program, path):
    rows = [line.split("\t") for line in output_of(program, path, "--print").stdout.splitlines()]
    bench.check(len(rows) == 96, f"{len(rows)} cases of {path}; expected 96")
    good = {}
    for ranks, verdict, case in rows:
        status, _, ours = bench.run(0, "time", case, "--ranks", ranks, "--dry-run")
        if verdict == "ok":
            bench.check(status == 0 and not ours, f"{case}: status {status} {ours}")
            good.setdefault(int(ranks), []).append(case)
        else:
            named = any(word in ours[0] for word in case.split() if word.startswith(("from=", "to="))) if ours else False
            bench.check(status == 2 and len(ours) == 1 and named, f"{case}: status {status} {ours}")
    bench.check(len(good) > 10 and sum(map(len, good.values())) > 80, "too few cases")
    for ranks, cases in good.items():
        if ranks <= MOST_RANKS:
            check_all(bench, ranks, cases)


def check_random(bench, program):
    """Problems of the generator with all their words, an algorithm among them."""
    for ranks in RANDOM_RANKS:
        result = output_of(bench.mpiexec, "-n", str(ranks), program, "--show", "--random-only", str(bench.folder / "now"),
                           "--random", str(RANDOM_PROBLEMS), "--seed", "7")
        cases = [line for line in result.stdout.splitlines() if " algorithm=" in line]
        bench.check(result.returncode == 0 and len(cases) == RANDOM_PROBLEMS, f"{ranks} ranks: {result.stdout[-500:]}")
        status, output, ours = bench.run(ranks, "check", *cases)
        bench.check(status == 0 and not ours and "WRONG" not in output, f"{ranks} ranks: status {status} {ours}")


def check_soak(bench, soak, build):
    """Every operator is broken on purpose: soak ends with exit status 1, and its last line can be run."""
    result = output_of(soak, "--rounds", "1", "--problems", "3", "--seed", "5", "--build", build, "--plant")
    last = result.stdout.splitlines()[-1] if result.stdout else ""
    found = re.fullmatch(r'mpiexec -n (\d+) tgbench check "([^"]*)"', last)
    bench.check(result.returncode == 1 and found and "FAILED" in result.stdout, f"soak: {result.returncode} {result.stdout}")
    if found:
        status, output, ours = bench.run(int(found[1]), "check", found[2])
        bench.check(status == 0 and " 0 failed" in output, f"{last}: status {status} {ours} {output}")
    for words in (["0"], ["--rounds"], ["--rounds", "0"], ["--build", "/"], ["--speed"]):
        result = output_of(soak, *words)
        lines = result.stderr.splitlines()
        bench.check(result.returncode == 2 and len(lines) == 1 and lines[0].startswith("soak: ") and not result.stdout,
                    f"soak {words}: {result.returncode} {lines}")


def main():
    program, mpiexec, cases, path, operators, soak, build = sys.argv[1:8]
    bench = Bench(program, mpiexec)
    check_file(bench, cases, path)
    check_random(bench, operators)
    check_soak(bench, soak, build)
    bench.end()


main()
