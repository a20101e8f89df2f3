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
KINDS = ["ascending", "again", "shuffled", "counted"]
CHECKS = ["values", "timer", "no-op", "skew of starts", "8 B broadcast, mean / value", "the same again", "shuffled sizes",
          "with counters", "broadcast / MPI_Bcast", "sum_reduce / MPI_Reduce", "all_sum_reduce / MPI_Allreduce",
          "seconds per cell"]


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

    def run_it(self, *words, mode="plain", builds=True):
        where = ["--builds", self.builds] if builds else []
        return subprocess.run([PROGRAM, "selfcheck", *where, *words], env=self.environment(mode), cwd=self.folder,
                              capture_output=True, text=True, timeout=200)

    def verdicts(self, done):
        """Checks by name; every line of the table is looked at."""
        lines = done.stdout.splitlines()[:len(CHECKS)]
        found = {}
        for line, name in zip(lines, CHECKS, strict=True):
            match = re.fullmatch(r"(ok|look|n\.a\.|wrong) +" + re.escape(name) + r" +(\S.*) \((.+)\)", line)
            self.assertTrue(match, line)
            found[name] = match.group(1)
        self.assertIn(found.pop("timer"), ("ok", "look", "n.a."))  # reads this machine's clock
        return found

    def logged(self):
        return [json.loads(line) for line in self.log.read_text().splitlines()]


class Verdicts(Case):
    def test_good(self):
        done = self.run_it()
        self.assertEqual(done.returncode, 0, done.stderr)
        found = self.verdicts(done)
        crowded = "share a core" in done.stdout
        if not crowded:
            self.assertEqual(set(found.values()), {"ok"}, done.stdout)
            self.assertRegex(done.stdout.splitlines()[-1], r"^1[12] ok, [01] look, 0 n\.a\., 0 wrong$")
        self.assertIn("12 of 12 cells not different", done.stdout)
        self.assertEqual(list(self.scratch.iterdir()), [])
        calls = self.logged()
        self.assertEqual({call["ranks"] for call in calls}, {"2"})
        for kind in KINDS:
            mine = [call for call in calls if call["kind"] == kind]
            self.assertEqual([call["launch"] for call in mine], list(range(8)))
            self.assertTrue(all(sorted(call["cells"]) == list(range(12)) for call in mine))
            orders = {tuple(call["cells"]) for call in mine}
            self.assertEqual(len(orders), 8 if kind == "shuffled" else 1)
            self.assertTrue(all(("--counters" in call["options"]) == (kind == "counted") for call in mine))
        self.assertEqual(sorted({call["kind"] for call in calls[:4]}), sorted(KINDS), "kinds are launched in turns")
        self.assertEqual(len({tuple(call["kind"] for call in calls[k:k + 4]) for k in (0, 4, 8, 12)}), 4)

    def test_different(self):
        for mode, name in (("again", "the same again"), ("shuffled", "shuffled sizes"), ("counted", "with counters"),
                           ("late", "8 B broadcast, mean / value"), ("slow_noop", "no-op"), ("operators", "broadcast / MPI_Bcast")):
            with self.subTest(mode=mode):
                done = self.run_it("--launches", "6", mode=mode)
                self.assertEqual(done.returncode, 0, done.stderr)
                found = self.verdicts(done)
                self.assertEqual(found[name], "n.a." if "share a core" in done.stdout else "look", done.stdout)
                others = {verdict for check, verdict in found.items() if check != name and "MPI_" not in check}
                self.assertEqual(others, {"ok"}, done.stdout)

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
        self.assertEqual({path.name for path in run.iterdir() if path.is_dir()}, {*KINDS, "beside"})
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
        for word in ("--builds", "--launcher", "--launches", "--budget", "--output"):
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
