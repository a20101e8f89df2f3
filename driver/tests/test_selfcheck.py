#!/usr/bin/env python3
"""test_selfcheck.py TENSORGAUGE: verdicts of selfcheck on launches whose times follow a rule (fake_steady_tgbench), wrong
words, what is left behind; and one short selfcheck of this build. No time is judged here."""
import csv
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
PROGRAM = str(pathlib.Path(sys.argv.pop(1)).resolve())
KINDS = ["ascending", "again", "shuffled", "counted", "beside", "fastest"]
FAMILY = KINDS[:4]  # of the same cells
BESIDE = ["broadcast / MPI_Bcast", "sum_reduce / MPI_Reduce", "all_sum_reduce / MPI_Allreduce", "scatter / MPI_Scatterv",
          "gather / MPI_Gatherv", "all_gather / MPI_Allgatherv", "reduce_scatter / the call"]
FASTEST = ["broadcast / MPI_Bcast", "all_sum_reduce / MPI_Allreduce", "all_gather / MPI_Allgatherv", "repartition / the better call"]
VERBS = ["compare", "accept", "plot", "report"]
COPY = ["repartition, strided", "repartition, contiguous", "halo, contiguous", "halo, strided"]
# Headings and their checks; the names of the last ones are made different here.
CHECKS = {"the clock": ["values", "timer", "no-op", "skew of starts", "8 B broadcast, mean / value"],
          "launches of the same cells": ["the same again", "shuffled sizes", "with counters"],
          "an operator beside the raw call, in turns": [*BESIDE, "small halo - its messages"],
          "algorithm=auto beside the library's own ways, in turns": FASTEST,
          "a copy of y / algorithm=auto, 16 MiB, in turns": COPY,
          "verbs over large runs": VERBS,
          "the time of this check": ["seconds per cell"]}


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tensorgauge self "))
        self.addCleanup(shutil.rmtree, self.folder)
        self.scratch = self.folder / "scratch"
        self.scratch.mkdir()
        builds = self.folder / "my build"
        builds.mkdir()
        (builds / "tgbench").symlink_to(HERE / "fake_steady_tgbench")
        self.builds = str(builds)
        self.log = self.folder / "log"

    def environment(self, mode):
        return {**os.environ, "FAKE_MODE": mode, "FAKE_LOG": str(self.log), "TMPDIR": str(self.scratch)}

    def run_it(self, *words, mode="plain", builds=True, rows=0):
        where = ["--builds", self.builds] if builds else []
        return subprocess.run([PROGRAM, "selfcheck", *where, "--rows", str(rows), *words], env=self.environment(mode), cwd=self.folder,
                              capture_output=True, text=True, timeout=200)

    def verdicts(self, done):
        """Checks by name; every line of the table is looked at."""
        lines, found = iter(done.stdout.splitlines()), {}
        for heading, names in CHECKS.items():
            self.assertEqual(next(lines), heading)
            for name in names:
                line = next(lines)
                match = re.fullmatch(r"  (ok|look|n\.a\.|wrong) +" + re.escape(name) + r" +(\S.*) \((.+)\)", line)
                self.assertTrue(match, line)
                found["auto " * (names is FASTEST) + name] = match.group(1)
        self.assertIn(found.pop("timer"), ("ok", "look", "n.a."))  # reads this machine's clock
        return found

    def logged(self):
        return [json.loads(line) for line in self.log.read_text().splitlines()]


class Verdicts(Case):
    def test_good(self):
        done = self.run_it(rows=3000)
        self.assertEqual(done.returncode, 0, done.stderr)
        found = self.verdicts(done)
        for verb in VERBS:
            self.assertRegex(done.stdout, rf"{verb} +\d+\.\d s, \d+ MB for 3000 rows a run")
            self.assertIn(found.pop(verb), ("ok", "look"))
        crowded = "share a core" in done.stdout
        if not crowded:
            self.assertEqual(set(found.values()), {"ok"}, done.stdout)
            self.assertRegex(done.stdout.splitlines()[-1], r"^2\d ok, [0-5] look, 0 n\.a\., 0 wrong$")
        self.assertIn("12 of 12 cells not different", done.stdout)
        self.assertEqual(list(self.scratch.iterdir()), [])
        calls = self.logged()
        self.assertEqual({call["ranks"] for call in calls}, {"2"})
        for kind in KINDS:
            mine = [call for call in calls if call["kind"] == kind]
            self.assertEqual([call["launch"] for call in mine], list(range(8)))
            self.assertEqual(len({tuple(sorted(call["cells"])) for call in mine}), 1)
            self.assertTrue(kind not in FAMILY or sorted(mine[0]["cells"]) == list(range(12)))
            orders = {tuple(call["cells"]) for call in mine}
            self.assertEqual(len(orders), 8 if kind == "shuffled" else 1)
            self.assertTrue(all(("--counters" in call["options"]) == (kind == "counted") for call in mine))
        self.assertEqual(sorted({call["kind"] for call in calls[:6]}), sorted(KINDS), "kinds are launched in turns")
        self.assertEqual(len({tuple(call["kind"] for call in calls[k:k + 6]) for k in range(0, 36, 6)}), 6)
        # 1 / (1.4 x 0.9) and a jitter: the figure is that of MPI_Alltoallv, the faster of the two calls
        self.assertRegex(done.stdout, r"the better call   1 MiB: 0\.(79|80) \[0\.(78|79|80), ")

    def test_different(self):
        for mode, *names in (("again", "the same again"), ("shuffled", "shuffled sizes"), ("counted", "with counters"),
                           ("late", "8 B broadcast, mean / value"), ("slow_noop", "no-op"), ("operators", *BESIDE),
                           ("auto", *(f"auto {name}" for name in FASTEST), "repartition, contiguous", "halo, contiguous")):
            with self.subTest(mode=mode):
                done = self.run_it("--launches", "6", mode=mode)
                self.assertEqual(done.returncode, 0, done.stderr)
                found = self.verdicts(done)
                self.assertEqual({found.pop(verb) for verb in VERBS}, {"n.a."}, done.stdout)
                looks = {check for check, verdict in found.items() if verdict == ("n.a." if "share a core" in done.stdout else "look")}
                self.assertEqual(looks - {"small halo - its messages"}, set(names), done.stdout)
                self.assertEqual(set(found.values()) - {"n.a."} | {"look"}, {"ok", "look"}, done.stdout)

    def test_drift(self):
        """What drifts touches all kinds alike: no difference is seen."""
        found = self.verdicts(self.run_it(mode="drift"))
        self.assertEqual([found[name] for name in ("the same again", "shuffled sizes", "with counters")], ["ok"] * 3)

    def test_noop(self):
        self.assertIn("raw:noop: 30.0 ns = 1.50 timer overheads", self.run_it("--launches", "1", mode="noop").stdout)
        self.assertIn("raw:memcpy: 30.0 ns", self.run_it("--launches", "1").stdout)

    def test_too_few(self):
        done = self.run_it("--launches", "4")
        found = self.verdicts(done)
        self.assertEqual([found[name] for name in ("the same again", "shuffled sizes", "with counters")], ["n.a."] * 3)
        self.assertIn("4 launches each are too few", done.stdout)
        turns = [name for names in list(CHECKS.values())[2:5] for name in names]
        self.assertEqual([found["auto " * (name not in found) + name] for name in turns], ["n.a."] * len(turns))
        self.assertEqual(done.stdout.count("4 launches are too few for an interval"), len(turns))

    def test_short_of_time(self):
        """Large tensors are left out where a launch would have no time for them."""
        done = self.run_it("--launches", "6", "--budget", "20s")
        found = self.verdicts(done)
        self.assertEqual({found[name] for name in COPY} | {found["auto " + name] for name in FASTEST}, {"n.a."}, done.stdout)
        self.assertEqual({call["kind"] for call in self.logged()}, set(KINDS) - {"fastest"})

    def test_wrong(self):
        for mode, figure in (("wrong", "1 not ok"), ("die", "1 failed")):
            with self.subTest(mode=mode):
                done = self.run_it("--launches", "2", mode=mode)
                self.assertEqual(done.returncode, 1)
                self.assertEqual(self.verdicts(done)["values"], "wrong", done.stdout)
                self.assertIn(figure, done.stdout)
                kept = pathlib.Path(re.search("^rows: (.*)$", done.stdout, re.M).group(1))
                self.assertTrue((kept / "log.txt").is_file() and (kept / "again/cells.csv").is_file())

    def test_spent(self):
        done = self.run_it("--launches", "1", "--budget", "1s")
        self.assertRegex(done.stdout, r"seconds per cell +[\d.]+ = launch [\d.]+ \+ start 0\.0001 \+ plan 0\.0002 \+ timed 0\.0003")
        self.assertEqual(self.verdicts(self.run_it("--launches", "1", mode="silent"))["seconds per cell"], "n.a.")

    def test_output(self):
        done = self.run_it("--launches", "1", "--output", str(self.folder / "kept rows"))
        self.assertEqual(done.returncode, 0)
        run, = (self.folder / "kept rows").iterdir()
        self.assertRegex(run.name, r"^\d{8}T\d{6}Z_.+_selfcheck$")
        self.assertIn(f"rows: {run}", done.stdout)
        self.assertEqual({path.name for path in run.iterdir() if path.is_dir()}, set(KINDS))
        self.assertEqual(list(self.scratch.iterdir()), [])

    def test_stopped(self):
        child = subprocess.Popen([PROGRAM, "selfcheck", "--builds", self.builds], env=self.environment("sleep"),
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        until = time.monotonic() + 60
        while time.monotonic() < until and not self.log.exists():
            time.sleep(0.05)
        child.send_signal(signal.SIGTERM)
        output, errors = child.communicate(timeout=60)
        self.assertEqual((child.returncode, output), (3, ""), errors)
        self.assertIn("tensorgauge: selfcheck was stopped", errors)
        self.assertEqual(list(self.scratch.iterdir()), [])

    def test_wrong_words(self):
        for words, *parts in ((["--launches", "0"], "--launches", "0"), (["--launches", "65"], "64"), (["--budget", "x"], "'x'"),
                              (["--rows", "-1"], "--rows", "-1"),
                              (["quick"], "'quick'"), (["--lanches", "2"], "--lanches"), (["--budget"], "--budget"),
                              (["--builds", "/nowhere"], "/nowhere"), (["--launcher", "no-such-launcher"], "no-such-launcher")):
            with self.subTest(words=words):
                done = self.run_it(*words, builds="--builds" not in words)
                self.assertEqual((done.returncode, done.stdout, len(done.stderr.splitlines())), (2, "", 1), done.stderr)
                self.assertTrue(done.stderr.startswith("tensorgauge: "), done.stderr)
                for part in parts:
                    self.assertIn(part, done.stderr)
                self.assertEqual(list(self.scratch.iterdir()), [])
        self.assertFalse(self.log.exists())

    def test_help(self):
        done = self.run_it("--help")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for word in ("--builds", "--launcher", "--launches", "--budget", "--rows", "--output"):
            self.assertIn(word, done.stdout)


class Real(Case):
    def test_short(self):
        done = self.run_it("--launches", "1", "--budget", "4s", "--output", str(self.folder), builds=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        found = self.verdicts(done)
        self.assertEqual((found["values"], found["seconds per cell"]), ("ok", "ok"), done.stdout)
        run, = self.folder.glob("*_selfcheck")
        with open(run / "counted/counters.csv", newline="", encoding="ascii") as file:
            self.assertEqual({row["cell"] for row in csv.DictReader(file)}, {str(cell) for cell in range(12)})
        for kind in ("ascending", "again", "shuffled"):
            self.assertFalse((run / kind / "counters.csv").exists())


if __name__ == "__main__":
    unittest.main()
