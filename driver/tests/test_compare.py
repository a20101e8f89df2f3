#!/usr/bin/env python3
"""test_compare.py TENSORGAUGE COLUMNS_DEF: verdicts, files and figures of made runs; hostile and bad input."""
import csv
import json
import math
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import unittest

PROGRAM, COLUMNS_DEF = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
with open(COLUMNS_DEF, encoding="utf-8") as definition:
    COLUMNS = re.findall(r"^TGB_COLUMN\((\w+)", definition.read(), re.M)
SIZES = (8, 1024, 65536, 1048576)


def row(op, size, launch, time_us, **more):
    one = dict.fromkeys(COLUMNS, "")
    one.update(schema=1, run_id="made", launch=launch, build="made", mpi="Made MPI 1.0", op=op, direction="forward",
               case="%s shape=%d from=1 to=2c dtype=f32 algorithm=mpi" % (op, size // 4), algorithm="mpi", dtype="f32",
               shape=size // 4, grid_x="1", grid_y="2c", ranks=2, world_size=2, nodes=1, threads=1, oversubscribed=0,
               scaling="size", size_bytes=size, held_x_bytes=size, held_y_bytes=size, t_median_us=repr(time_us),
               algbw_GBps=repr(size / time_us / 1e3), estimator="median_of_max", status="ok", wrong=0)
    one.update(more)
    return one


def run_of(seed, launches=10, sd=0.01, factor=lambda op, size: 1.0, **more):
    """Two operations in four sizes; each launch with a spread of its own."""
    draw = random.Random(seed)
    return [row(op, size, launch, (1 + size / 5e3) * (2 if op == "halo" else 1) * factor(op, size) *
                math.exp(draw.gauss(0, sd)), **more)
            for launch in range(launches) for op in ("broadcast", "halo") for size in SIZES]


def compare(*words, **more):
    return subprocess.run([PROGRAM, "compare", *words], capture_output=True, text=True, errors="replace", timeout=120,
                          check=False, **more)


class Compare(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="test_compare.")
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, rows, columns=None, record=None):
        os.makedirs(self.path(name))
        with open(os.path.join(self.path(name), "cells.csv"), "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns or COLUMNS, extrasaction="ignore", lineterminator="\n")
            writer.writeheader()
            for number, one in enumerate(rows):
                writer.writerow(dict(one, cell=number + 1))
        if record is not None:
            with open(os.path.join(self.path(name), "run.json"), "w", encoding="utf-8") as file:
                json.dump(record, file)
        return self.path(name)

    def output(self, *words, status=0):
        """compare.json and the rows of compare.csv, which must agree."""
        out = self.path("out")
        shutil.rmtree(out, ignore_errors=True)
        result = compare(*words, "--output", out)
        self.assertEqual((result.returncode, result.stderr), (status, ""))
        with open(os.path.join(out, "compare.json"), encoding="utf-8") as file:
            whole = json.load(file)
        with open(os.path.join(out, "compare.csv"), newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual(len(rows), len(whole["cells"]))
        for one, cell in zip(rows, whole["cells"]):
            self.assertEqual(one["schema"], "1")
            for key, value in cell.items():
                if isinstance(value, float):
                    self.assertEqual(float(one[key]), value, key)
                elif value is None:
                    self.assertEqual(one[key], "", key)
                else:
                    self.assertEqual(re.sub(r"\A'(?=[=+@-])", "", one[key]), value, key)
        return whole, rows, result.stdout

    def refused(self, *words, **more):
        before = sorted(os.walk(self.folder))
        result = compare(*words, **more)
        self.assertEqual(result.returncode, 2, result)
        self.assertEqual(result.stdout, "")
        self.assertRegex(result.stderr, r"\Atensorgauge: [^\n]+\n\Z")
        self.assertEqual(sorted(os.walk(self.folder)), before, "something was written")
        return result.stderr

    def test_planted(self):
        a = self.write("a", run_of(1))
        b = self.write("b", run_of(2, factor=lambda op, size: 1.2 if op == "halo" else 0.8 if size == 8 else 1.0))
        whole, rows, said = self.output(a, b, status=1)
        verdict = {(one["op"], int(float(one["size_bytes"]))): one for one in rows}
        for size in SIZES:
            self.assertEqual(verdict["halo", size]["verdict"], "slower")
            self.assertAlmostEqual(float(verdict["halo", size]["ratio"]), 1.2, delta=0.03)
            self.assertLess(float(verdict["halo", size]["ratio_lo"]), 1.2)
            self.assertGreater(float(verdict["halo", size]["ratio_hi"]), 1.2)
            if size > 8:
                self.assertEqual(verdict["broadcast", size]["verdict"], "same")
        self.assertEqual(verdict["broadcast", 8]["verdict"], "faster")
        self.assertEqual(whole["verdicts"], {"slower": 4, "faster": 1, "same": 3, "undecided": 0, "unmatched": 0})
        # medians and sums, worked out again
        for total in whole["totals"]:
            ours = [one for one in rows if one["op"] == total["op"]]
            self.assertAlmostEqual(total["base_us"], sum(float(one["base_us"]) for one in ours))
            self.assertAlmostEqual(total["run_us"], sum(float(one["run_us"]) for one in ours))
            self.assertAlmostEqual(total["lost_us"] - total["gained_us"],
                                   sum(float(one["cost_us"]) for one in ours if one["verdict"] in ("slower", "faster")))
        times = [float(one["t_median_us"]) for one in run_of(1) if one["op"] == "halo" and one["size_bytes"] == 8]
        self.assertAlmostEqual(float(verdict["halo", 8]["base_us"]), statistics.median(times))
        # decided ones first, the largest cost before the others
        costs = [abs(float(one["cost_us"])) for one in rows[:5]]
        self.assertEqual(costs, sorted(costs, reverse=True))
        self.assertEqual({one["verdict"] for one in rows[5:]}, {"same"})
        self.assertIn("4 slower, 1 faster", said)
        # the other way round, what was slower is faster
        whole, rows, said = self.output(b, a, status=1)
        self.assertEqual((whole["verdicts"]["faster"], whole["verdicts"]["slower"]), (4, 1))

    def test_figures(self):
        a = self.write("a", run_of(1))
        b = self.write("b", run_of(2, factor=lambda op, size: 1.2))
        c = self.write("c", run_of(3))
        self.output(a, b, c, status=1)
        figures = os.path.join(self.path("out"), "figures")
        for name in ("compare_broadcast", "compare_halo"):
            for ending in ("pdf", "svg", "png", "gp", "csv", "txt"):
                self.assertGreater(os.path.getsize(os.path.join(figures, name + "." + ending)), 100)
            with open(os.path.join(figures, name + ".csv"), newline="", encoding="utf-8") as file:
                points = list(csv.DictReader(file))
            self.assertEqual(len(points), 2 * len(SIZES))
            for point in points:
                expected = 1.2 if point["label"].endswith("B") else 1.0
                self.assertAlmostEqual(float(point["ratio"]), expected, delta=0.05)
                self.assertLess(float(point["lo"]), float(point["hi"]))
            with open(os.path.join(figures, name + ".txt"), encoding="utf-8") as file:
                caption = file.read()
            for words in ("Hodges-Lehmann", "95 % rank interval", "Launches: 10", "Grey band", "A = "):
                self.assertIn(words, caption)
        with open(os.path.join(figures, "compare_halo.gp"), encoding="utf-8") as file:
            self.assertIn("band = 0.05\n", file.read())

    def test_rank_counts_in_one_figure(self):
        def both(seed):
            return run_of(seed) + run_of(seed + 10, ranks=4, world_size=4)

        self.output(self.write("a", both(1)), self.write("b", both(2)))
        with open(os.path.join(self.path("out"), "figures", "compare_halo.csv"), newline="", encoding="utf-8") as file:
            self.assertEqual({point["label"] for point in csv.DictReader(file)}, {"P=2", "P=4"})

    def test_with_itself(self):
        a = self.write("a", run_of(1, sd=0.2))
        whole, rows, _ = self.output(a, a)
        self.assertEqual(whole["verdicts"]["slower"] + whole["verdicts"]["faster"], 0)
        self.assertEqual({one["ratio"] for one in rows}, {"1"})
        self.assertEqual(whole["differences"], [])
        needed = [float(one["launches_needed"]) for one in rows if one["verdict"] == "undecided"]
        self.assertTrue(needed and min(needed) > 10)

    def test_tolerance_and_holm(self):
        a, b = self.write("a", run_of(1)), self.write("b", run_of(2, factor=lambda op, size: 1.03))
        whole, _, _ = self.output(a, b, "--tolerance", "10")
        self.assertEqual(whole["verdicts"]["same"], 8)
        whole, _, _ = self.output(a, b, "--tolerance=1%", "--holm", status=1)
        self.assertEqual((whole["adjustment"], whole["tolerance"]), ("Holm", 0.01))
        self.assertGreater(whole["verdicts"]["slower"], 4)

    def test_few_launches(self):
        a, b = self.write("a", run_of(1, launches=2)), self.write("b", run_of(2, launches=1, factor=lambda op, size: 2))
        whole, rows, said = self.output(a, b)
        self.assertEqual(whole["verdicts"]["undecided"], 8)
        self.assertEqual({one["ratio_lo"] for one in rows} | {one["p"] for one in rows}, {""})
        self.assertIn("below 6 launches", said)
        self.assertRegex(said, r"With 6 launches one of 8 cells could be decided: `launches = 6`")

    def test_many_cells_need_more_launches(self):
        """Six launches could decide one of 8 cells, not one of 80: p is at best 2 / 924."""
        rows = [run_of(seed, launches=6) for seed in (1, 2)]
        a, b = (self.write("run%d" % i, [dict(one, case="%s batch=%d" % (one["case"], copy), t_median_us=float(one["t_median_us"]) * (
            1 + (i and copy == 0 and one["op"] == "halo" and one["size_bytes"] == 8))) for one in both for copy in range(10)])
                for i, both in enumerate(rows))
        done = compare(a, b)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("With 7 launches one of 80 cells could be decided", done.stdout)

    def test_partners_and_left_out(self):
        rows = run_of(1)
        a = self.write("a", [one for one in rows if one["size_bytes"] != 8])
        other = [one for one in rows if not (one["op"] == "halo" and one["size_bytes"] == 1048576)]
        for one in other:
            if one["op"] == "broadcast" and one["size_bytes"] == 1024:
                one["status"] = "wrong"
            if one["op"] == "broadcast" and one["size_bytes"] == 65536 and one["launch"] < 2:
                one["t_median_us"] = ""
        b = self.write("b", other)
        whole, rows, said = self.output(a, b)
        self.assertEqual((whole["compared"], whole["verdicts"]["unmatched"]), (4, 4))
        self.assertEqual(whole["sides"][1]["left_out"], 12)
        alone = {(one["op"], int(float(one["size_bytes"]))): one for one in rows if one["verdict"] == "unmatched"}
        self.assertEqual(set(alone), {("broadcast", 8), ("halo", 8), ("halo", 1048576), ("broadcast", 1024)})
        self.assertEqual(alone["broadcast", 1024]["run_left_out"], "10")
        self.assertIn("Cells without a partner: 4", said)
        self.assertIn("left out: 12 rows", said)

    def test_what_differs(self):
        record = {"version": "0.1", "machine": {"host": "alpha", "cores": 2, "load_at_start": [1, 2, 3]},
                  "environment": {"OMP_NUM_THREADS": "1"}, "launches": [1]}
        other = json.loads(json.dumps(record))
        other["machine"].update(host="beta\x1b[2J", load_at_start=[4, 5, 6])
        other["environment"]["UCX_TLS"] = "tcp"
        a = self.write("a", run_of(1), record=record)
        b = self.write("b", run_of(2, mpi="Made MPI 2.0", estimator="osu_avg"), record=other)
        whole, _, said = self.output(a, b)
        self.assertEqual({one["what"]: one["values"] for one in whole["differences"]},
                         {"machine.host": ["alpha", "beta\x1b[2J"], "environment.UCX_TLS": ["", "tcp"],
                          "mpi": ["Made MPI 1.0", "Made MPI 2.0"], "estimator": ["median_of_max", "osu_avg"]})
        self.assertNotIn("\x1b", said)
        self.assertLess(said.index("What differs"), said.index("cells compared"))

    def test_builds_of_one_run(self):
        rows = run_of(1, build="first") + run_of(2, build="second", factor=lambda op, size: 1.3)
        both = self.write("both", rows, record={"tgbench": {"path": "/x"}, "builds": [
            {"path": "/x", "build": {"name": "first", "mpi": "M1"}}, {"path": "/y", "build": {"name": "second", "mpi": "M2"}}]})
        whole, _, _ = self.output(both, status=1)
        self.assertEqual([side["name"] for side in whole["sides"]], [both + "/first", both + "/second"])
        self.assertEqual(whole["verdicts"]["slower"], 8)
        said = {one["what"]: one["values"] for one in whole["differences"]}
        self.assertEqual(said["tgbench.build.mpi"], ["M1", "M2"])

    def test_bad_input(self):
        a = self.write("a", run_of(1))
        self.assertIn("second run", self.refused(a))
        self.assertIn("no run given", self.refused())
        self.refused(a, self.path("absent"))
        self.refused(a, a, "--tolerance", "x")
        self.refused(a, a, "--tolerance", "nan")
        self.refused(a, a, "--tolerance")
        self.refused(a, a, "--colour")
        self.refused(a, a, "--output", "")
        self.refused(a, a, "--output", os.path.join(a, "cells.csv", "beneath"))
        other = self.write("other", [dict(one, case="x " + one["case"]) for one in run_of(1)])
        self.assertIn("no cell in common", self.refused(a, other))
        for name, change, words in (
                ("nan", {"t_median_us": "nan"}, ["line 4", "column t_median_us"]),
                ("inf", {"t_median_us": "1e999"}, ["line 4", "column t_median_us"]),
                ("word", {"ranks": "two"}, ["line 4", "column ranks"]),
                ("zero", {"ranks": "0"}, ["line 4", "column ranks"]),
                ("schema", {"schema": "2"}, ["line 4", "column schema", "'2'"]),
                ("bare", {"schema": ""}, ["line 4", "column schema"])):
            rows = run_of(1)
            rows[2].update(change)
            said = self.refused(a, self.write(name, rows))
            for word in words:
                self.assertIn(word, said)
        for column in ("case", "direction", "ranks", "status", "t_median_us", "schema", "build", "op"):
            said = self.refused(self.write("no " + column, run_of(1), [c for c in COLUMNS if c != column]), a)
            self.assertIn("'%s'" % column, said)
        self.assertIn("70 launches", self.refused(a, self.write("many", run_of(1, launches=70))))
        self.assertIn("gnuplot", self.refused(a, a, "--output", self.path("out"), env=dict(os.environ, PATH=self.folder)))

    def test_hostile_fields_are_data(self):
        touched = self.path("touched")
        evil = ("`touch %s`", "'; system('touch %s'); '", '"; system("touch %s"); "', "$(touch %s)", "a\nsystem('touch %s')\n",
                "<script>%s</script>", "=cmd|' /C touch %s'!A0", "@evil %s", "../../%s", "\x1b]0;%s\x07", "-%s", "+%s")
        both = []
        for seed in (1, 2):
            rows = run_of(seed)
            for index, words in enumerate(evil):
                rows += [dict(row("op", size, launch, 2 + launch / 10 + size, case=words % touched + str(size)),
                              op=words % touched, build="made", mpi=words % touched, dtype=words % touched,
                              direction=words % touched if index % 2 else "forward")
                         for size in (8, 64) for launch in range(6)]
            both.append(self.write("run%d" % seed, rows, record={"machine": {"host": evil[seed] % touched}}))
        before = sorted(os.listdir(self.folder))
        whole, rows, said = self.output(*both)
        self.assertEqual(sorted(os.listdir(self.folder)), sorted(before + ["out"]))
        self.assertEqual(whole["compared"], 8 + 2 * len(evil))
        self.assertNotRegex(said, r"[\x00-\x09\x0b-\x1f\x7f]")
        for one in rows:
            for value in (one["op"], one["case"], one["dtype"], one["direction"]):
                self.assertNotRegex(value, r"\A[=+@-]")
        for name in os.listdir(os.path.join(self.path("out"), "figures")):
            self.assertRegex(name, r"\A[a-z][A-Za-z0-9_-]*\.[a-z]+\Z")

    def test_large_field(self):
        rows = run_of(1)
        rows[0]["placement"] = "x" * 10000000
        a = self.write("a", rows)
        result = compare(a, a)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertLess(len(result.stdout), 20000)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
