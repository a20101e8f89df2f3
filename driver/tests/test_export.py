#!/usr/bin/env python3
"""test_export.py TENSORGAUGE COLUMNS_DEF: cells in other formats, results of other programs as a run folder; hostile input."""
import csv
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

PROGRAM, COLUMNS_DEF = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
with open(COLUMNS_DEF, encoding="utf-8") as definition:
    COLUMNS = re.findall(r"^TGB_COLUMN\((\w+)", definition.read(), re.M)

OSU = """
# OSU MPI Allreduce Latency Test v7.4
# Datatype: MPI_CHAR.
# Size       Avg Latency(us)   Min Latency(us)   Max Latency(us)  Iterations
1                       2.81              1.89              3.73        1000
1048576               104.30            104.26            104.33         100
a line of the launcher
"""
OSU_SHORT = "# OSU MPI Latency Test v7.4\n# Size          Latency (us)\n0                       0.21\n8                       0.25\n"
IMB = """#----------------------------------------------------------------
# Benchmarking Allreduce 
# #processes = 2 
# ( 2 additional processes waiting in MPI_Barrier)
#----------------------------------------------------------------
       #bytes #repetitions  t_min[usec]  t_max[usec]  t_avg[usec]
            1         1000         1.80         3.70         2.75
      1048576           40       104.00       105.00       104.50

#----------------------------------------------------------------
# Benchmarking Allgather 
# #processes = 4 
#----------------------------------------------------------------
       #bytes #repetitions  t_min[usec]  t_max[usec]  t_avg[usec]
            8         1000         4.50        18.59        11.69

#---------------------------------------------------
# Benchmarking Unheard_of 
# #processes = 2 
#---------------------------------------------------
       #bytes #repetitions   Mmsgs/sec
            8         1000        1.50
# All processes entering MPI_Finalize
"""
NCCL = """# nccl-tests version 2.18.2 nccl-headers=23007 nccl-library=23007
# Collective test starting: all_gather_perf
# nThread 1 nGpus 1 minBytes 1048576 maxBytes 134217728 step: 2(factor) warmup iters: 1 iters: 20 agg iters: 1 validation: 1 graph: 0
#
# Using devices
#  Rank  0 Group  0 Pid  15784 on  node0 device  0 [0009:01:00] made up
#  Rank  1 Group  0 Pid  24926 on  node1 device  0 [0009:01:00] made up
#
#                                                              out-of-place                       in-place          
#       size         count      type   redop    root     time   algbw   busbw  #wrong     time   algbw   busbw  #wrong 
#        (B)    (elements)                               (us)  (GB/s)  (GB/s)             (us)  (GB/s)  (GB/s)         
     1048576        131072     float    none      -1   339.61    3.09    1.54       0   335.85    3.12    1.56       0
     2097152        262144     float    none      -1   555.53    3.78    1.89       0   561.77    3.73    1.87       3
# Out of bounds values : 0 OK
"""


def run(*words, **more):
    return subprocess.run([PROGRAM, *words], capture_output=True, text=True, timeout=120, check=False, **more)


def row(op, size, launch, time_us, **more):
    one = dict.fromkeys(COLUMNS, "")
    one.update(schema=1, launch=launch, build="made", mpi="Made MPI", op=op, direction="forward", algorithm="mpi",
               case="%s shape=%d" % (op, size // 4), dtype="f32", ranks=2, oversubscribed=0, scaling="size", size_bytes=size,
               osu_size_bytes=size, osu_avg_us=time_us - 0.25, osu_min_us=time_us - 0.5, osu_max_us=time_us, samples=100,
               t_median_us=time_us, estimator="median_of_max", status="ok")
    one.update(more)
    return one


class Export(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="test_export.")
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def file(self, name, text):
        with open(self.path(name), "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
        return self.path(name)

    def write(self, rows, name="run"):
        os.makedirs(self.path(name))
        with open(os.path.join(self.path(name), "cells.csv"), "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            for number, one in enumerate(rows):
                writer.writerow(dict(one, cell=number + 1))
        return self.path(name)

    def good(self):
        return self.write([row(op, size, launch, 4.0 + launch + size / 1024, ranks=ranks)
                           for launch in range(3) for op in ("broadcast", "halo", "raw:MPI_Allreduce")
                           for ranks in (2, 4) for size in (1024, 8)] + [row("broadcast", 16, 0, 1.0, status="wrong")])

    def export(self, folder, form):
        done = run("export", folder, "--format", form)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def bring(self, *files, words=()):
        done = run("import", *files, *words, "--output", self.path("results"))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        folder = re.match(r"run folder: (.*)\n", done.stdout).group(1)
        with open(os.path.join(folder, "cells.csv"), newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            self.assertEqual(reader.fieldnames, COLUMNS)
            return folder, list(reader)

    def refused(self, *words):
        before = sorted(os.walk(self.folder))
        done = run(*words)
        self.assertEqual((done.returncode, done.stdout), (2, ""), done)
        self.assertRegex(done.stderr, r"\Atensorgauge: [^\n]+\n\Z")
        self.assertEqual(sorted(os.walk(self.folder)), before)
        return done.stderr

    def test_as_data(self):
        folder = self.good()
        cells = json.loads(self.export(folder, "json"))["cells"]
        self.assertEqual(len(cells), 12)
        one = next(c for c in cells if (c["op"], c["ranks"], c["size_bytes"]) == ("halo", 4, 1024))
        self.assertEqual((one["median_us"], one["launches_us"]), (6.0, [5.0, 6.0, 7.0]))
        lines = [json.loads(line) for line in self.export(folder, "extrap").splitlines()]
        self.assertEqual(len(lines), 12)
        self.assertIn({"params": {"ranks": 4, "size_bytes": 1024}, "callpath": "halo forward mpi f32", "metric": "time_us",
                       "value": [5.0, 6.0, 7.0]}, lines)

    def test_tables(self):
        folder = self.good()
        lines = self.export(folder, "markdown").splitlines()
        self.assertEqual(len(lines), 14)
        self.assertEqual({line.count("|") for line in lines}, {10})
        self.assertIn("| halo | forward | 4 | 1024 | 6 | 5 | 7 | 3 | halo shape=256 |", lines)
        text = self.export(folder, "latex")
        self.assertEqual(text.count("\\\\\n"), 13)
        self.assertIn("raw:MPI\\_Allreduce & forward & 4 & 8 &", text)
        self.assertEqual(run("export", folder, "--format", "latex", "--output", self.path("table.tex")).stdout, "")
        with open(self.path("table.tex"), encoding="utf-8") as file:
            self.assertEqual(file.read(), text)

    def test_there_and_back(self):
        """What is exported as OSU's or IMB's output is imported with the same numbers."""
        folder = self.good()
        for form in ("osu", "imb"):
            text = self.export(folder, form)
            self.assertIn("left out: 4 cells", text)  # halo
            _, rows = self.bring(self.file(form, text))
            self.assertEqual(len(rows), 8)
            for one in rows:
                size = int(one["osu_size_bytes"])
                self.assertAlmostEqual(float(one["osu_max_us"]), 5 + size / 1024, delta=0.006)
                self.assertAlmostEqual(float(one["t_median_us"]), 4.75 + size / 1024, delta=0.006)
                self.assertEqual(one["estimator"], "mean_of_means")
            self.assertEqual({(one["op"], one["ranks"]) for one in rows},
                             {("raw:MPI_Bcast", "2"), ("raw:MPI_Bcast", "4"), ("raw:MPI_Allreduce", "2"), ("raw:MPI_Allreduce", "4")})

    def test_osu(self):
        _, rows = self.bring(self.file("a", OSU), words=("--ranks", "2"))
        self.assertEqual([(r["op"], r["ranks"], r["size_bytes"], r["t_median_us"], r["osu_min_us"], r["osu_max_us"], r["dtype"],
                           r["status"], r["samples"]) for r in rows],
                         [("raw:MPI_Allreduce", "2", "1", "2.81", "1.89", "3.73", "MPI_CHAR", "ok", ""),
                          ("raw:MPI_Allreduce", "2", "1048576", "104.3", "104.26", "104.33", "MPI_CHAR", "ok", "")])
        _, rows = self.bring(self.file("b", OSU_SHORT))
        self.assertEqual([(r["size_bytes"], r["t_median_us"], r["estimator"], r["ranks"]) for r in rows],
                         [("0", "0.21", "half_round_trip", "2"), ("8", "0.25", "half_round_trip", "2")])
        self.assertIn("--ranks P", self.refused("import", self.path("a"), "--output", self.path("results")))

    def test_imb(self):
        _, rows = self.bring(self.file("a", IMB))
        self.assertEqual([(r["op"], r["ranks"], r["size_bytes"], r["osu_size_bytes"], r["t_median_us"]) for r in rows],
                         [("raw:MPI_Allreduce", "2", "1", "1", "2.75"), ("raw:MPI_Allreduce", "2", "1048576", "1048576", "104.5"),
                          ("raw:MPI_Allgather", "4", "32", "8", "11.69")])

    def test_nccl(self):
        _, rows = self.bring(self.file("a", NCCL))
        self.assertEqual([(r["op"], r["ranks"], r["size_bytes"], r["in_place"], r["t_median_us"], r["busbw_GBps"], r["status"])
                          for r in rows],
                         [("raw:MPI_Allgather", "2", "1048576", "0", "339.61", "1.54", "ok"),
                          ("raw:MPI_Allgather", "2", "1048576", "1", "335.85", "1.56", "ok"),
                          ("raw:MPI_Allgather", "2", "2097152", "0", "555.53", "1.89", "ok"),
                          ("raw:MPI_Allgather", "2", "2097152", "1", "561.77", "1.87", "wrong")])
        old = NCCL[NCCL.index("# nThread"):]
        _, again = self.bring(self.file("all_gather_perf.out", old))
        self.assertEqual([r["case"] for r in again], [r["case"] for r in rows])
        self.assertIn("line 10", self.refused("import", self.file("b", old)))

    def test_imported_are_compared_and_drawn(self):
        files = [self.file("osu%d" % i, OSU.replace("104.30", "%.2f" % (104.3 + i / 10))) for i in range(6)]
        first, _ = self.bring(*files, words=("--ranks", "2"))
        files = [self.file("imb%d" % i, IMB.replace("104.50", "%.2f" % (208.6 + i / 10))) for i in range(6)]
        second, _ = self.bring(*files)
        done = run("compare", first, second)
        self.assertEqual((done.returncode, done.stderr), (1, ""))
        self.assertRegex(done.stdout, r"slower +B +104\.\d +208\.\d")
        self.assertNotIn("  estimator", done.stdout)  # both are means of means
        done = run("plot", first)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_hostile_fields_are_data(self):
        evil = ["=cmd|' /C calc'!A0", "a|b", "`touch x`", "\\input{x}", "$x_1^2$ % & # {", "<script>alert(1)</script>", "a\nb\x07c\x1b[2J",
                '"quoted", comma', "x->y", "![x](y)"]
        folder = self.write([row(words, 8, 0, 2.0, case=words, dtype=words, algorithm=words) for words in evil] +
                            [row("broadcast", 8, 0, 2.0, case=words + " 2", dtype=words, algorithm=words) for words in evil])
        for form in ("osu", "imb", "json", "markdown", "latex", "extrap"):
            self.assertNotRegex(self.export(folder, form), r"[\x00-\x09\x0b-\x1f\x7f]", form)
        lines = self.export(folder, "markdown").splitlines()
        self.assertEqual(len(lines), 22)
        for line in lines[2:]:
            self.assertEqual(len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)), 10, line)
            self.assertNotIn("<", line)
            self.assertIsNone(re.search(r"(?<!\\)`", line))
        for line in self.export(folder, "latex").splitlines()[5:-2]:
            self.assertEqual(len(re.findall(r"(?<!\\)&", line)), 8, line)
            self.assertIsNone(re.search(r"(?<!\\)[$%#_]", line), line)
            self.assertNotIn("\\input", line)
        self.assertEqual(len(json.loads(self.export(folder, "json"))["cells"]), 20)
        for line in self.export(folder, "extrap").splitlines():
            self.assertNotIn("->", json.loads(line)["callpath"])
        for form in ("osu", "imb"):
            for line in self.export(folder, form).splitlines():
                self.assertRegex(line, r"\A(#.*| *[0-9][ 0-9.]*| *#bytes .*|)\Z")

    def test_bad_words_and_files(self):
        folder = self.good()
        self.assertIn("markdown", self.refused("export", folder, "--format", "xml"))
        self.refused("export", folder)
        self.refused("export", "--format", "json")
        self.refused("export", folder, folder, "--format", "json")
        self.refused("export", self.path("absent"), "--format", "json")
        self.refused("export", folder, "--format", "json", "--output", os.path.join(folder, "cells.csv", "x"))
        self.refused("export", self.write([row("halo", 8, 0, 1.0, status="wrong")], "none"), "--format", "json")
        self.assertIn("column osu_avg_us", self.refused("export", self.write([row("halo", 8, 0, 1.0, osu_avg_us="nan")], "nan"),
                                                        "--format", "json"))
        self.refused("import")
        self.refused("import", self.path("absent"))
        self.refused("import", folder)
        self.refused("import", self.file("empty", ""))
        self.refused("import", self.file("other", "nothing of the kind\n8 9\n"))
        self.refused("import", self.path("empty"), "--ranks", "0")
        for number, (text, words) in enumerate((
                (OSU.replace("2.81", "nan"), ["line 5"]), (OSU.replace("2.81", "2,81"), ["line 5"]),
                (OSU.replace("2.81", "1e999"), ["line 5"]), (OSU.replace("Allreduce Latency", "Bandwidth"), ["line 2"]),
                (OSU.replace("1.89              3.73        1000", "1.89"), ["line 5"]),
                (OSU.replace("1                  ", "1" * 400 + " "), ["line 5"]),
                (OSU[:40] + "\x07\x1b[2J" + "x" * 10000000 + "\n1 " + "9" * 10000000, []),
                (IMB.replace("2.75", "-2"), ["line 7"]), (IMB.replace("= 2 ", "= 99999999999 "), ["line 7", "ranks"]),
                (OSU.replace("Allreduce", "All-to-All Personalized Exchange").replace("1048576", "9" * 15), ["line 6", "EiB"]), (NCCL.replace("339.61", "x"), ["line 12"]),
                (NCCL.replace("       0   335.85", "   335.85"), ["line 12"]))):
            said = self.refused("import", self.file("all_gather_perf%d" % number, text), "--ranks", "100000", "--output", self.path("out"))
            for word in words:
                self.assertIn(word, said)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
