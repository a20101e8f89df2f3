"""launch.py: starts tgbench for tests: alone or under the launcher of its MPI library, never without a time limit."""
import csv
import os
import pathlib
import subprocess
import sys
import tempfile

LIMIT_S = 500
ALL = bool(os.environ.get("TENSORGAUGE_TEST_ALL"))  # scripts/test --all: more of the same


class Bench:
    """A program, its launcher, and the checks made so far."""

    def __init__(self, program, mpiexec):
        self.program, self.mpiexec = program, mpiexec
        self.checks = self.failed = 0
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tgbench-test-"))

    def run(self, ranks, *words, **environment):
        """ranks = 0: a plain process. Returns (exit status, standard output, our lines of standard error)."""
        launcher = [self.mpiexec, "-n", str(ranks)] if ranks else []
        result = subprocess.run(launcher + [self.program, *words], capture_output=True, text=True, timeout=LIMIT_S,
                                env={**os.environ, **environment}, check=False, cwd=self.folder)
        ours = [line for line in result.stderr.splitlines() if not ranks or line.startswith("tgbench:")]
        return result.returncode, result.stdout, ours

    def stopped(self, status):
        """Is this what remains of exit status 3 after the launcher had a signal? MPICH's (Hydra 4.0) then may say 0."""
        if status != 0:
            return status == 3
        return "HYDRA" in subprocess.run([self.mpiexec, "--version"], capture_output=True, text=True, timeout=60, check=False).stdout

    def check(self, good, what):
        self.checks += 1
        if not good:
            self.failed += 1
            print(f"FAILED: {what}")

    def rows(self, folder, table="cells"):
        with open(self.folder / folder / f"{table}.csv", newline="", encoding="ascii") as file:
            return list(csv.DictReader(file))

    def end(self):
        print(f"{self.checks} checks, {self.failed} failed")
        for path in sorted(self.folder.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        self.folder.rmdir()
        sys.exit(1 if self.failed or not self.checks else 0)


def cells_file(path, lines, *more):
    """A file for --cells; each line is (launch, cell, ranks, scaling, direction, size_bytes, case), and what more names."""
    header = ("launch", "cell", "ranks", "scaling", "direction", "size_bytes", "case", *more)
    path.write_text("".join("\t".join(map(str, line)) + "\n" for line in [header, *lines]), encoding="ascii")
    return str(path)
