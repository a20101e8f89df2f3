#!/usr/bin/env python3
"""test_accept.py TENSORGAUGE COLUMNS_DEF: verdicts of accept on made runs, of which it is known what is wrong with them: a
slow rank, machine or link is named, nothing else is; hostile and bad input."""
import csv
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as tree

from made_run import Run, partners

COLUMNS_DEF = str(pathlib.Path(sys.argv.pop(2)).resolve())
PROGRAM = str(pathlib.Path(sys.argv.pop(1)).resolve())
RULES = ["values", "complete", "cores", "blas", "ranks", "nodes", "pairs", "noise", "throttling", "soak"]
TIMES = dict.fromkeys(["noise", "throttling", "soak"], ("undecided", []))  # of one launch without quantum


class Case(unittest.TestCase):
    def setUp(self):
        self.top = pathlib.Path(tempfile.mkdtemp(prefix="tensorgauge accept "))
        self.addCleanup(shutil.rmtree, self.top)
        self.folder = self.top / "a run"

    guided = False  # are there cells that a guideline compares?

    def run_it(self, *words):
        return subprocess.run([PROGRAM, "accept", *map(str, words)], cwd=self.top, capture_output=True, text=True, timeout=100)

    def judge(self, run, status, *words, folder=None):
        """Writes the run, lets accept judge it, and returns verdicts and culprits by rule; the files must agree."""
        folder = folder or self.folder
        run.write(folder)
        done = self.run_it(folder, *words)
        self.assertEqual((done.returncode, done.stderr), (status, ""), done.stdout)
        self.printed = done.stdout
        verdict = done.stdout.splitlines()[-1]
        with open(folder / "judgement.json", encoding="utf-8") as file:
            judgement = json.load(file)
        self.assertTrue(verdict.startswith(f"tensorgauge accept: {judgement['verdict'].upper()}: "), verdict)
        self.assertEqual(status == 1, judgement["verdict"] == "fail")
        rules = {rule["rule"]: rule for rule in judgement["rules"]}
        names = [*RULES, *["guidelines"] * self.guided, *["reference"] * ("--reference" in words)]
        self.assertEqual(list(rules), names)
        with open(folder / "judgement.csv", newline="", encoding="utf-8", errors="replace") as file:
            lines = list(csv.DictReader(file, strict=True))
        self.assertEqual(list(dict.fromkeys(line["rule"] for line in lines)), names)
        self.assertEqual(len(lines), sum(max(1, len(rule["findings"])) for rule in rules.values()))
        cases = tree.parse(folder / "junit.xml").getroot().findall("testsuite/testcase")
        self.assertEqual([case.get("name") for case in cases], names)
        element = {"fail": "failure", "undecided": "skipped", "pass": "system-out", "look": "system-out"}
        for case in cases:
            self.assertEqual([child.tag for child in case], [element[rules[case.get("name")]["verdict"]]])
        self.rules = rules
        return {name: (rule["verdict"], [finding["culprit"] for finding in rule["findings"]]) for name, rule in rules.items()}


class Peers(Case):
    def good(self, ranks=8, **other):
        run = Run(COLUMNS_DEF, ranks, **other)
        run.add_local([100 + rank % 2 for rank in range(ranks)])
        run.add_local([50.0] * ranks, op="machine:copy", shape="256")
        run.add_pairs(lambda a, b: 2 + (a + b) % 3 / 100)
        return run

    def test_good(self):
        verdicts = self.judge(self.good(), 0)
        self.assertEqual(verdicts, {**dict.fromkeys(RULES, ("pass", [])), "nodes": ("undecided", []), **TIMES})

    def test_rank(self):
        """20 % in one cell; nobody else is named."""
        run = self.good()
        times = [100.0] * 8
        times[3] = 120.0
        run.add_local(times, shape="128x128")
        verdicts = self.judge(run, 1)
        self.assertEqual(verdicts["ranks"], ("fail", ["rank 3 (node0, CPU 3)"]))
        self.assertEqual({name for name, (verdict, _) in verdicts.items() if verdict == "fail"}, {"ranks"})
        finding = self.rules["ranks"]["findings"][0]
        self.assertEqual((finding["value"], finding["expected"], finding["limit"]), (1.2, 1, 1.05))
        self.assertIn("128x128", finding["case"])
        self.assertIn("20 % slower than the median of 8 ranks (limit 5 %)", finding["text"])
        self.assertIn("rank 3 (node0, CPU 3)", self.printed.splitlines()[-1])

    def test_limit(self):
        """Of the limit max(5 %, 4 robust sigma) each part counts: 5.1 % is too much among equals, 20 % among unequals not."""
        run = Run(COLUMNS_DEF, 8)
        run.add_local([100, 100, 100, 100, 100, 100, 104.9, 105.1])
        self.assertEqual(self.judge(run, 1)["ranks"], ("fail", ["rank 7 (node0, CPU 7)"]))
        run = Run(COLUMNS_DEF, 8)  # median 100, MAD 4: limit 100 + 4 x 1.4826 x 4 = 123.7
        run.add_local([92, 96, 96, 100, 100, 104, 104, 120])
        self.assertEqual(self.judge(run, 0, folder=self.top / "b")["ranks"], ("pass", []))

    def test_few(self):
        """Three peers are too few, which is no failure."""
        run = Run(COLUMNS_DEF, 3)
        run.add_local([100, 100, 150])
        run.add_pairs(lambda a, b: 2 + a)
        verdicts = self.judge(run, 0)
        self.assertEqual({name: verdicts[name] for name in ("ranks", "nodes", "pairs")},
                         dict.fromkeys(("ranks", "nodes", "pairs"), ("undecided", [])))
        self.assertIn("3 ranks: a rank needs 4 peers", self.printed)
        self.assertIn("UNDECIDED: 4 of 10 rules passed, 0 failed, 6 undecided; nothing was wrong", self.printed)

    def test_node(self):
        """All ranks of one machine of five are 8 % slower: two of ten ranks, and the machine."""
        run = Run(COLUMNS_DEF, 10, machines=[0, 0, 1, 1, 2, 2, 3, 3, 4, 4])
        run.add_local([108.0 if rank in (6, 7) else 100.0 for rank in range(10)])
        verdicts = self.judge(run, 1)
        self.assertEqual(verdicts["nodes"], ("fail", ["node3"]))
        self.assertEqual(verdicts["ranks"], ("fail", ["rank 6 (node3, CPU 6)", "rank 7 (node3, CPU 7)"]))

    def test_link(self):
        run = self.good()
        run.add_pairs(lambda a, b: 13.0 if (a, b) == (2, 5) else 10.0, shape="256")
        verdicts = self.judge(run, 1)
        self.assertEqual(verdicts["pairs"], ("fail", ["link rank 2 (node0, CPU 2) - rank 5 (node0, CPU 5)"]))
        self.assertEqual(self.rules["pairs"]["findings"][0]["value"], 13)
        self.assertEqual({name for name, (verdict, _) in verdicts.items() if verdict == "fail"}, {"pairs"})

    def test_links_of_a_rank(self):
        """A rank all of whose links are slow is named once, its links are not."""
        for ranks in (7, 8):
            run = Run(COLUMNS_DEF, ranks)
            run.add_pairs(lambda a, b: 13.0 if 4 in (a, b) else 10.0)
            verdicts = self.judge(run, 1, folder=self.top / str(ranks))
            self.assertEqual(verdicts["pairs"], ("fail", ["rank 4 (node0, CPU 4)"]))
            self.assertIn(f"{ranks - 1} of its {ranks - 1} links within its machine are slow", self.printed)

    def test_links_between_machines(self):
        """Links between machines take ten times as long as those within, which are no peers of theirs."""
        machines = [0, 0, 0, 0, 1, 1, 1, 1]
        run = Run(COLUMNS_DEF, 8, machines=machines)
        run.add_pairs(lambda a, b: (20.0 if machines[a] != machines[b] else 2.0) * (1.3 if (a, b) == (1, 6) else 1))
        self.assertEqual(self.judge(run, 1)["pairs"],
                         ("fail", ["link rank 1 (node0, CPU 1) - rank 6 (node1, CPU 6)"]))

    def test_heat(self):
        """The figure of the links: data of each pair, over the median of its kind; an SVG without a picture in it."""
        machines = [0, 0, 0, 1, 1, 1]
        run = Run(COLUMNS_DEF, 6, machines=machines)
        run.add_pairs(lambda a, b: 20.0 if machines[a] != machines[b] else 6.0 if (a, b) == (3, 4) else 2.0, shape="8x'`4")
        self.judge(run, 1)
        figures = self.folder / "figures"
        with open(figures / "pairs_8x--4_6ranks.csv", newline="", encoding="ascii") as file:
            found = {(int(r["a"]), int(r["b"])): float(r["ratio"]) for r in csv.DictReader(file)}
        self.assertEqual(found, {(a, b): 3.0 if (a, b) == (3, 4) else 1.0 for a in range(6) for b in range(a + 1, 6)})
        svg = (figures / "pairs_8x--4_6ranks.svg").read_text()
        self.assertNotIn("<image", svg)
        self.assertIn("time / median", svg)
        self.assertIn("Median between machines: 20 us.", (figures / "pairs_8x--4_6ranks.txt").read_text())
        self.assertEqual({path.suffix for path in figures.iterdir()}, {".csv", ".gp", ".txt", ".pdf", ".svg", ".png"})

    def test_rounds(self):
        """The test's own tournament is one: each two ranks meet once."""
        for ranks in range(2, 14):
            rounds = ranks - 1 if ranks % 2 == 0 else ranks
            met = sorted(pair for number in range(1, rounds + 1) for pair in partners(ranks, number))
            self.assertEqual(met, [(a, b) for a in range(ranks) for b in range(a + 1, ranks)])

    def test_no_times_of_ranks(self):
        run = self.good()
        run.has_ranks = False
        verdicts = self.judge(run, 0)
        self.assertEqual(verdicts["ranks"], ("undecided", []))
        self.assertIn("expected a run with raw = all", self.printed)


class Whole(Case):
    def test_wrong(self):
        run = Run(COLUMNS_DEF, 4)
        run.add("broadcast shape=2 to=4c", 5.0, status="wrong", wrong=3)
        run.add("broadcast shape=4 to=4c", 5.0)
        verdicts = self.judge(run, 1)
        self.assertEqual(verdicts["values"], ("fail", ["broadcast shape=2 to=4c forward on 4 ranks"]))

    def test_complete(self):
        run = Run(COLUMNS_DEF, 4)
        run.add("broadcast shape=2 to=4c", 5.0)
        run.planned = 3
        self.assertEqual(self.judge(run, 0)["complete"], ("undecided", []))
        run.add("broadcast shape=4 to=4c", "", status="killed")
        self.assertEqual(self.judge(run, 1, folder=self.top / "b")["complete"],
                         ("fail", ["broadcast shape=4 to=4c forward on 4 ranks"]))

    def test_cores(self):
        run = Run(COLUMNS_DEF, 4)
        run.add("broadcast shape=2 to=4c", 5.0, oversubscribed=1)
        run.add("broadcast shape=4 to=4c", 5.0, oversubscribed=1)
        self.assertEqual(self.judge(run, 1)["cores"], ("fail", ["4 ranks"]))

    def test_blas(self):
        run = Run(COLUMNS_DEF, 4, machines=[0, 0, 1, 1])
        run.add("broadcast shape=2 to=4c", 5.0)
        run.blas[1] = "Haswell"
        self.assertEqual(self.judge(run, 1)["blas"], ("fail", ["node1"]))
        run.environment = {"OPENBLAS_CORETYPE": "Haswell"}
        self.assertEqual(self.judge(run, 0, folder=self.top / "b")["blas"], ("look", ["node1"]))

    def test_no_record(self):
        run = Run(COLUMNS_DEF, 4)
        run.add_local([100, 100, 100, 150])
        run.record = False
        verdicts = self.judge(run, 1)
        self.assertEqual((verdicts["blas"], verdicts["ranks"]), (("undecided", []), ("fail", ["rank 3"])))


class Times(Case):
    def launches(self, slow=None, factor=1.3, minutes=0, op="machine:triad", late=1.0):
        """Eight launches of three cells, `minutes` apart; one is slower by a factor; from the fourth on all by `late`."""
        run = Run(COLUMNS_DEF, 2)
        for launch in range(8):
            for number in range(3):
                time_us = 100 * (number + 1) * (factor if launch == slow else 1) * (late if launch >= 4 else 1)
                run.add(f"{op} shape={number} busy=1", time_us, launch=launch, slowest_rank=1,
                        t_start_iso=f"2026-11-28T{8 + launch * minutes // 60:02d}:{launch * minutes % 60:02d}:0{number}Z")
        return run

    def test_soak(self):
        self.assertEqual(self.judge(self.launches(), 0)["soak"], ("pass", []))
        for factor, found in ((1.3, ["launch 5 (from 2026-11-28T08:10:00Z)"]), (1.04, [])):
            verdicts = self.judge(self.launches(5, factor, 2), int(bool(found)), folder=self.top / str(factor))
            self.assertEqual(verdicts["soak"], ("fail" if found else "pass", found))

    def test_throttling(self):
        """Eight launches two minutes apart, the last four 7 % slower; too short a run; not in other operations."""
        verdicts = self.judge(self.launches(minutes=2, op="machine:gemm", late=1.07), 1)
        self.assertEqual(verdicts["throttling"], ("fail", ["rank 1 (node0, CPU 1)"] * 3))
        for name, options, verdict in (("b", {"op": "machine:gemm", "minutes": 2, "late": 1.04}, "pass"),
                                       ("c", {"op": "machine:gemm", "minutes": 0, "late": 2}, "undecided"),
                                       ("d", {"minutes": 2, "late": 2}, "undecided")):
            run = self.launches(**options)
            shutil.rmtree(self.top / name, ignore_errors=True)
            run.write(self.top / name)
            self.run_it(self.top / name)
            with open(self.top / name / "judgement.json", encoding="utf-8") as file:
                found = {rule["rule"]: rule["verdict"] for rule in json.load(file)["rules"]}
            self.assertEqual(found["throttling"], verdict, name)

    def test_noise(self):
        """Rank 1 is interrupted for 50 us once in six quanta of 100 us: 50 of 650 us are lost."""
        run = Run(COLUMNS_DEF, 2)
        run.add_local([100.0, 100.0], op="machine:quantum", shape="512")
        self.assertEqual(self.judge(run, 0)["noise"], ("pass", []))
        run.samples[3][-1] = 150.0
        self.assertEqual(run.samples[3][-2], 1)
        self.assertEqual(self.judge(run, 1, folder=self.top / "b")["noise"], ("fail", ["rank 1 (node0, CPU 1)"]))
        finding = self.rules["noise"]["findings"][0]
        self.assertAlmostEqual(finding["value"], 50 / 650)
        self.assertIn("the longest interruption 50 us", finding["text"])


class Guidelines(Case):
    guided = True
    PAIRS = [("broadcast", "chain:scatter+all_gather", {"grid_y": "4c"}, {"grid_y": "4c"}),
             ("all_sum_reduce", "chain:sum_reduce+broadcast", {"grid_y": "4c"}, {"grid_y": "4c"}),
             ("all_sum_reduce", "chain:reduce_scatter+all_gather", {"grid_y": "4c"}, {"grid_y": "4c"}),
             ("repartition", "chain:gather+scatter", {"grid_y": "1x4"}, {"grid_y": "1x4"}),
             ("sum_reduce", "all_sum_reduce", {"grid_y": "1"}, {"grid_y": "4c"}),
             ("gather", "all_gather", {"grid_y": "1"}, {"grid_y": "4c"})]

    def made(self, pairs, launches=6):
        """Each operation takes 100 us and some noise, the other one the same times the factor."""
        run = Run(COLUMNS_DEF, 4)
        for launch in range(launches):
            for (one, other, words, other_words), factor in pairs:
                drift = 100 + (launch * 5) % 7 / 10
                run.add(f"{one} shape=8 algorithm=mpi", drift, launch=launch, grid_x="a", **words)
                run.add(f"{other} shape=8 algorithm=mpi", drift * factor, launch=launch, grid_x="a", **other_words)
        return run

    def test_each(self):
        """Each guideline alone: 20 % on the table is seen, 3 % is not, nor is an operation that is faster."""
        for number, pair in enumerate(self.PAIRS):
            for factor, verdict in ((0.8, "look"), (0.97, "pass"), (1.5, "pass")):
                verdicts = self.judge(self.made([(pair, factor)]), 0, folder=self.top / f"{number} {factor}")
                self.assertEqual(verdicts["guidelines"],
                                 (verdict, [f"{pair[0]} shape=8 algorithm=mpi forward on 4 ranks"] if verdict == "look" else []))
        finding = self.rules["guidelines"]
        self.assertIn("no violation among 1 guidelines", finding["text"])
        self.judge(self.made([(self.PAIRS[0], 0.8)]), 0)
        self.assertIn("20 %, are left on the table", self.rules["guidelines"]["findings"][0]["text"])

    def test_launches(self):
        """The least p is 1 / 70 with four launches and 1 / 20 with three, which is too much for two guidelines."""
        verdicts = self.judge(self.made([(self.PAIRS[0], 0.8)], launches=4), 0)
        self.assertEqual(verdicts["guidelines"][0], "look")
        pairs = [(pair, 0.8) for pair in self.PAIRS[:2]]
        verdicts = self.judge(self.made(pairs, launches=3), 0, folder=self.top / "b")
        self.assertEqual(verdicts["guidelines"], ("undecided", []))
        self.assertIn("2 of 2 guidelines may be violated: 3 launches of each cell cannot tell", self.printed)

    def test_halves(self):
        """f(2n) <= 2 f(n); another shape of the same size is no half."""
        for factor, verdict in ((1.9, "pass"), (2.5, "look")):
            run = Run(COLUMNS_DEF, 4)
            for launch in range(6):
                for size, time_us in ((64, 10), (128, 10 * factor), (256, 10)):
                    run.add(f"broadcast shape={size} algorithm=mpi", time_us + launch % 3 / 10, launch=launch, size_bytes=size)
            verdicts = self.judge(run, 0, folder=self.top / str(factor))
            self.assertEqual(verdicts["guidelines"][0], verdict)
            self.assertEqual(verdicts["guidelines"][1],
                             ["broadcast shape=128 algorithm=mpi forward on 4 ranks"] if verdict == "look" else [])

    def test_others(self):
        """Cells that differ in layout, type, ranks, direction or place are not compared."""
        self.guided = False
        one = {"grid_x": "a", "grid_y": "b", "dtype": "f32", "size_bytes": 64}
        for number, change in enumerate(({"grid_x": "c"}, {"grid_y": "c"}, {"dtype": "f64"}, {"size_bytes": 65},
                                         {"direction": "adjoint"}, {"ranks": 3}, {"shape": "2x4"})):
            run = Run(COLUMNS_DEF, 4)
            run.add("broadcast shape=8", 100, **one)
            run.add("chain:scatter+all_gather shape=8", 10, **{**one, **change})
            self.judge(run, 0, folder=self.top / str(number))
        run = Run(COLUMNS_DEF, 4)
        run.add("broadcast shape=8 in-place=yes", 100, **one)
        run.add("chain:scatter+all_gather shape=8", 10, **one)
        self.judge(run, 0)


class Reference(Case):
    COLUMNS = ["case", "direction", "ranks", "value", "lower", "upper"]
    CASES = ["broadcast shape=2 to=2c", "broadcast shape=4 to=2c", "halo shape=9 grid=2"]

    def made(self, factor=1.0):
        """Medians over three launches: 10, 20 and 30 us times the factor."""
        run = Run(COLUMNS_DEF, 2)
        for launch, drift in enumerate((1.5, 1, 0.5)):
            for number, case in enumerate(self.CASES):
                run.add(case, 10 * (number + 1) * drift * factor, launch=launch)
        return run

    def table(self, *lines):
        path = self.top / "reference.csv"
        path.write_text("\n".join(",".join(map(str, line)) for line in [self.COLUMNS, *lines]) + "\n")
        return path

    def lines(self):
        return [[case, "forward", 2, 10 * (number + 1), 0.3, 0.1] for number, case in enumerate(self.CASES)]

    def test_itself(self):
        """A run judged against itself passes, and so do small differences either way."""
        self.assertEqual(self.judge(self.made(), 0, "--reference", "a run")["reference"], ("pass", []))
        self.assertIn("tensorgauge accept: PASS: ", self.printed)
        for factor, share, verdict in ((1.09, "10%", "pass"), (1.11, "10%", "fail"), (1.11, "12%", "pass"), (0.2, "1%", "pass")):
            verdicts = self.judge(self.made(factor), int(verdict == "fail"), "--reference", "a run", "--tolerance", share,
                                  folder=self.top / f"run {factor} {share}")
            self.assertEqual(verdicts["reference"][0], verdict)

    def test_edited(self):
        """An edited value fails and is named: above and below its limits; an empty limit is none."""
        lines = self.lines()
        self.assertEqual(self.judge(self.made(), 0, "--reference", self.table(*lines))["reference"], ("pass", []))
        for value, lower, upper, word in ((17, 0.3, 0.1, "17.6 % slower (limit 10 %)"), (40, 0.3, 0.1, "50 % faster than it may"),
                                          (17, 0.3, "", None), (40, "", 0.1, None), (17, 0, 0.2, None)):
            lines[1][3:] = [value, lower, upper]
            shutil.rmtree(self.folder)
            verdicts = self.judge(self.made(), int(word is not None), "--reference", self.table(*lines))
            self.assertEqual(verdicts["reference"], ("fail", ["broadcast shape=4 to=2c forward on 2 ranks"]) if word
                             else ("pass", []))
            if word:
                self.assertIn(word, self.rules["reference"]["findings"][0]["text"])
                self.assertEqual(self.rules["reference"]["findings"][0]["expected"], value)

    def test_missing(self):
        """Cells that only one side has are no failure."""
        lines = self.lines()
        verdicts = self.judge(self.made(), 0, "--reference", self.table(*lines, ["copy shape=1", "forward", 2, 1, "", ""]))
        self.assertEqual(verdicts["reference"], ("undecided", []))
        self.assertIn("3 cells are within the reference's limits, 1 were not measured", self.printed)
        shutil.rmtree(self.folder)
        self.assertEqual(self.judge(self.made(), 0, "--reference", self.table(*lines[:2]))["reference"], ("pass", []))
        shutil.rmtree(self.folder)
        self.assertEqual(self.judge(self.made(), 0, "--reference", self.table())["reference"], ("undecided", []))

    def test_bad(self):
        self.made().write(self.folder)
        line = self.lines()[0]
        for at, word, part in ((2, "x", "column ranks"), (3, "", "column value is empty"), (3, "-1", "column value"),
                               (4, "2", "column lower: '2'; expected a number from 0 to 1"), (5, "nan", "column upper")):
            bad = [*line[:at], word, *line[at + 1:]]
            done = self.run_it(self.folder, "--reference", self.table(line, bad))
            self.assertEqual((done.returncode, done.stdout, len(done.stderr.splitlines())), (2, "", 1), done.stderr)
            self.assertIn("reference.csv line 3", done.stderr)
            self.assertIn(part, done.stderr)
        twice = self.table(line, line)
        for words, part in (([twice], "line 3: the cell of line 2 again"), (["nowhere"], "'nowhere' is not there"),
                            ([self.top], "holds no cells.csv"), ([self.folder, "--tolerance", "ten"], "such as 10%"),
                            ([self.folder, "--tolerance", "-1%"], "such as 10%")):
            done = self.run_it(self.folder, "--reference", *words)
            self.assertEqual((done.returncode, len(done.stderr.splitlines())), (2, 1), done.stderr)
            self.assertIn(part, done.stderr)
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), ["cells.csv", "run.json", "samples.csv"])


class Hostile(Case):
    def test_texts(self):
        """Texts that would be commands, elements or control characters elsewhere are text here."""
        bad = "a]]>&<script>\"'`touch x`$(touch x)\x1b[31m\n,=cmd()\u00e9\ufffe"
        run = Run(COLUMNS_DEF, 4, hosts=[bad])
        run.add_local([100, 100, 100, 150])
        run.add(bad, 5.0, status="wrong", wrong=1, op=bad)
        self.judge(run, 1)
        self.assertFalse((self.top / "x").exists())
        self.assertNotIn("\x1b", self.printed)
        self.assertEqual(len([line for line in self.printed.splitlines() if line.startswith("tensorgauge accept: ")]), 1)
        failures = tree.parse(self.folder / "junit.xml").getroot().findall(".//failure")
        said = "".join(failure.text for failure in failures)
        self.assertIn("]]>&<script>\"'`touch x`", said)
        self.assertEqual(sum(len(failure) for failure in failures), 0)

    def test_bytes(self):
        """Bytes that are no UTF-8, and a field of 10 MB."""
        run = Run(COLUMNS_DEF, 4)
        run.add("broadcast shape=2 HERE", 5.0, status="wrong", wrong=1)
        run.add("broadcast shape=2 " + "y" * 10_000_000, 5.0)
        run.write(self.folder)
        path = self.folder / "cells.csv"
        path.write_bytes(path.read_bytes().replace(b"HERE", b"\xff\xc3\xed\xa0\x80"))
        done = self.run_it(self.folder)
        self.assertEqual((done.returncode, done.stderr), (1, ""))
        tree.parse(self.folder / "junit.xml")
        json.loads((self.folder / "judgement.json").read_text(encoding="utf-8"))

    def expect_error(self, *parts, words=None):
        before = sorted(path.name for path in self.top.rglob("*"))
        done = self.run_it(*(words if words is not None else [self.folder]))
        self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
        lines = done.stderr.splitlines()
        self.assertEqual(len(lines), 1, done.stderr)
        self.assertTrue(lines[0].startswith("tensorgauge: "), lines[0])
        for part in parts:
            self.assertIn(part, lines[0])
        self.assertEqual(sorted(path.name for path in self.top.rglob("*")), before)

    def spoil(self, name, old, new):
        run = Run(COLUMNS_DEF, 4)
        run.add_local([100, 100, 100, 100])
        shutil.rmtree(self.folder, ignore_errors=True)
        run.write(self.folder)
        text = (self.folder / name).read_text()
        self.assertIn(old, text)
        (self.folder / name).write_text(text.replace(old, new))

    def test_words(self):
        Run(COLUMNS_DEF, 4).write(self.folder)
        self.expect_error("no run given", words=[])
        self.expect_error("'--fast'", "expected", words=["--fast"])
        self.expect_error("one word too many", words=[self.folder, "b"])
        self.expect_error("--reference needs one value", words=[self.folder, "--reference"])
        self.expect_error("--tolerance without --reference", words=[self.folder, "--tolerance", "5%"])
        self.expect_error("is not a folder", words=["nowhere"])
        self.expect_error("holds no cells.csv", words=[self.top])
        self.expect_error("holds no cell; expected one row at least")

    def test_files(self):
        for column in ("case", "t_median_us", "grid_y", "oversubscribed"):
            self.spoil("cells.csv", column, "no_such_column")
            self.expect_error(f"expected a column '{column}'")
        for old, new, part in ((",4,", ",four,", "'four' is not a number"), (",4,", ",-4,", "'-4'; expected a number from 1"),
                               (",4,", ",4.5,", "'4.5'; expected a whole number"), (",4,", ",,", "''; expected a whole number"),
                               ("100", "nan", "'nan' is not a number"), ("100", "1e999", "'1e999' is not a number")):
            self.spoil("cells.csv", old, new)
            self.expect_error("cells.csv line 2, column", part)
        self.spoil("samples.csv", ",3,100", ",4,100")
        self.expect_error("samples.csv line 5, column rank: '4'")
        self.spoil("samples.csv", ",3,100", ",3,nan")
        self.expect_error("samples.csv line 5, column t_us: 'nan'")
        self.spoil("samples.csv", "launch,cell", "launch,cells")
        self.expect_error("samples.csv line 1: expected a column 'cell'")
        self.spoil("run.json", "{", "[")
        self.expect_error("run.json line 1")


unittest.main()
