#!/usr/bin/env python3
"""test_acceptance.py TENSORGAUGE PLANTED: the campaign acceptance from end to end on 2 ranks; and 4 ranks of a tgbench on one
of which a product takes a second of its own more: accept finds and names it. Ratios decide, no time does."""
import csv
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

PLANTED = pathlib.Path(sys.argv.pop(2)).resolve()
PROGRAM = str(pathlib.Path(sys.argv.pop(1)).resolve())
SLOW = """[campaign]
budget    = 1s
calibrate = no
raw       = all
min-reps  = 3
max-reps  = 3
[cells cores]
case      = machine:gemm shape=32x32 busy=all
case      = machine:copy shape=64 busy=all
case      = machine:pairs shape=2 round=R
ranks     = 4
dtype     = f32
"""


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tensorgauge acceptance "))
        self.addCleanup(shutil.rmtree, self.folder)

    def run_it(self, *words, **environment):
        return subprocess.run([PROGRAM, *words], cwd=self.folder, capture_output=True, text=True, timeout=500,
                              env={**os.environ, **environment})

    def run_folder(self):
        return next((self.folder / "results").iterdir())

    def rules(self):
        with open(self.run_folder() / "judgement.json", encoding="utf-8") as file:
            return {rule["rule"]: rule for rule in json.load(file)["rules"]}

    def test_campaign(self):
        done = self.run_it("run", "acceptance", "--launches", "1", "--budget", "1s", "--min-reps", "1", "--max-reps", "2",
                           "--sizes", "8B,64KiB")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        with open(self.run_folder() / "cells.csv", newline="", encoding="ascii") as file:
            cells = list(csv.DictReader(file, strict=True))
        self.assertEqual({(row["status"], row["wrong"]) for row in cells}, {("ok", "0")})
        self.assertEqual({row["algorithm"] for row in cells if not row["op"].startswith("machine:")}, {"mpi"})
        self.assertLessEqual({"machine:one_way", "machine:both_ways", "broadcast", "all_sum_reduce", "repartition", "halo",
                              "chain:scatter+all_gather", "chain:gather+scatter",
                              "machine:gemm", "machine:quantum", "machine:copy", "machine:pairs", "machine:bisection",
                              "machine:permutation"}, {row["op"] for row in cells})
        done = self.run_it("accept", str(self.run_folder()))
        self.assertIn(done.returncode, (0, 1), done.stderr)  # a machine in use may fail
        rules = self.rules()
        self.assertEqual([rules[name]["verdict"] for name in ("values", "complete", "ranks", "nodes", "pairs")],
                         ["pass", "pass", "undecided", "undecided", "undecided"])
        self.assertTrue((self.run_folder() / "junit.xml").is_file())

    def test_slow_rank(self):
        builds = self.folder / "planted"
        builds.mkdir()
        (builds / "tgbench").symlink_to(PLANTED)
        (self.folder / "slow.ini").write_text(SLOW)
        done = self.run_it("run", "./slow.ini", "--builds", str(builds), PLANT="slow", PLANT_US="1000000", PLANT_RANK="2")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        done = self.run_it("accept", str(self.run_folder()))
        self.assertEqual((done.returncode, done.stderr), (1, ""))
        ranks = self.rules()["ranks"]
        worst = ranks["findings"][0]
        self.assertEqual(ranks["verdict"], "fail")
        self.assertTrue(worst["culprit"].startswith("rank 2 ("), worst)
        self.assertIn("machine:gemm", worst["case"])
        self.assertGreater(worst["value"], 2 * worst["limit"])
        self.assertIn(worst["culprit"], done.stdout.splitlines()[-1])
        with open(self.run_folder() / "cells.csv", newline="", encoding="ascii") as file:
            rounds = [row["case"].split("round=")[1] for row in csv.DictReader(file) if row["op"] == "machine:pairs"]
        self.assertEqual(sorted(rounds), ["1", "2", "3"])

    def test_pairs(self):
        """The rounds of a campaign: all, a ring, some of them, the same for one seed."""
        (self.folder / "slow.ini").write_text(SLOW.replace("ranks     = 4", "ranks     = 9,100"))

        def rounds(*words):
            done = self.run_it("run", "./slow.ini", "--dry-run", *words)
            self.assertEqual(done.returncode, 0, done.stderr)
            return [(int(line.split()[1]), int(line.split("round=")[1])) for line in done.stdout.splitlines()
                    if "round=" in line]

        self.assertEqual(rounds("--ranks", "9"), [(9, k) for k in range(1, 10)])
        self.assertEqual(rounds("--ranks", "1,2"), [(2, 1)])
        self.assertEqual(rounds("--pairs", "ring"), [(9, 1), (9, 2), (100, 1), (100, 2)])
        chosen = rounds("--ranks", "100")
        self.assertEqual((len(chosen), len(set(chosen))), (16, 16))
        self.assertTrue(all(1 <= k <= 99 for _, k in chosen))
        self.assertEqual(rounds("--ranks", "100", "--pairs", "random:16"), chosen)
        self.assertNotEqual(rounds("--ranks", "100", "--seed", "2"), chosen)
        self.assertEqual(len(rounds("--ranks", "100", "--pairs", "all")), 99)
        for word in ("some", "random:", "random:0", "random:x"):
            done = self.run_it("run", "./slow.ini", "--pairs", word)
            self.assertEqual((done.returncode, len(done.stderr.splitlines())), (2, 1), done.stderr)
            self.assertIn(f"--pairs '{word}': expected all, ring or random:K", done.stderr)


unittest.main()
