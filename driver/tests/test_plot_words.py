#!/usr/bin/env python3
"""test_plot_words.py TENSORGAUGE COLUMNS_DEF: papers, LaTeX, chosen rows and several runs in one figure; what cannot be
read in a figure is found."""
import csv
import json
import os
import re
import shutil
import subprocess
import sys
import unittest

from figure_text import text_faults
import test_plot
from test_plot import PROGRAM, bounded, check, good_cells, plot, write_run

PAPERS = {"springer": 84, "acm": 84.5, "ieee": 88.5, "nature": 89, "slides": 240, "web": 160}  # mm


class Words(unittest.TestCase):
    setUp, refused = test_plot.Plot.setUp, test_plot.Plot.refused

    def write(self, name="run", factor=1.0, host="alpha", **more):
        """A run whose times are `factor` times those of good_cells()."""
        folder = os.path.join(self.folder, name)
        rows = bounded(good_cells())
        for row in rows:
            for column in ("t_median_us", "ci_lo_us", "ci_hi_us", "bound_us"):
                row[column] = row[column] and repr(factor * float(row[column]))
            row.update(more)
        write_run(folder, rows)
        with open(os.path.join(folder, "run.json"), "w", encoding="utf-8") as file:
            json.dump({"machine": {"host": host, "cpu_model": "Made CPU", "cores": 2}}, file)
        return folder

    def drawn(self, *words):
        output = os.path.join(self.folder, "out")
        shutil.rmtree(output, ignore_errors=True)
        result = plot(*words, "--output", output)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        for name in os.listdir(output):
            if name.endswith(".svg"):
                self.assertEqual(text_faults(os.path.join(output, name)), [], name)
        return output

    def read(self, *path):
        with open(os.path.join(*path), encoding="utf-8") as file:
            return file.read()

    def test_papers(self):
        """Each has its width and font, in the PDF too, and gnuplot alone draws the same elsewhere."""
        run = self.write()
        for paper, width_mm in PAPERS.items():
            output = self.drawn(run, "--for", paper, "--select", "op=halo scaling=strong direction=forward")
            self.assertEqual({f.split(".")[0] for f in os.listdir(output)}, {"time_ranks_halo"})
            svg = self.read(output, "time_ranks_halo.svg")
            self.assertAlmostEqual(float(re.search(r'width="(\d+)"', svg).group(1)), width_mm / 25.4 * 96, delta=1, msg=paper)
            self.assertEqual('"Liberation Serif"' in svg, paper == "ieee")
            fonts = subprocess.run(["pdffonts", os.path.join(output, "time_ranks_halo.pdf")], capture_output=True, text=True,
                                   check=True).stdout
            self.assertIn("LiberationSerif" if paper == "ieee" else "LiberationSans", fonts)
        elsewhere = os.path.join(self.folder, "elsewhere")
        os.mkdir(elsewhere)
        for ending in ("gp", "csv"):
            shutil.copy(os.path.join(output, "time_ranks_halo." + ending), elsewhere)
        subprocess.run(["gnuplot", "time_ranks_halo.gp"], cwd=elsewhere, check=True, timeout=60)
        self.assertEqual(self.read(elsewhere, "time_ranks_halo.svg"), svg)
        self.assertIn("springer, acm", self.refused(run, "--for", "a4"))

    def test_latex(self):
        run = self.write()
        output = self.drawn(run, "--latex", "--select", "op=all_sum_reduce scaling=strong direction=forward")
        name = "time_ranks_all_sum_reduce"
        tex = self.read(output, name + "_latex.tex")
        for part in (r"\begin{picture}", r"\includegraphics", "{%s_latex}" % name, "time (µs)", "ranks"):
            self.assertIn(part, tex)
        self.assertTrue(os.path.exists(os.path.join(output, name + "_latex.pdf")))
        if shutil.which("pdflatex"):
            with open(os.path.join(output, "paper.tex"), "w", encoding="utf-8") as file:
                file.write("\\documentclass{article}\\usepackage{graphicx,color}\\begin{document}\\input{%s_latex}\\end{document}\n" % name)
            result = subprocess.run(["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"], cwd=output,
                                    capture_output=True, timeout=120, check=False)
            self.assertEqual(result.returncode, 0, result.stdout[-2000:])

    def test_select(self):
        """Only rows that agree with every word are drawn."""
        run = self.write()
        rows = self.figure_rows(self.drawn(run, "--select", "op=halo ranks<=3", "--select", "size_bytes>=64KiB scaling=strong"))
        self.assertEqual({row["op"] for row in rows}, {"halo"})
        self.assertEqual({row["ranks"] for row in rows}, {"1", "2", "3"})
        self.assertEqual({row["size_bytes"] for row in rows}, {"65536"})
        rows = self.figure_rows(self.drawn(run, "--select", "op!=halo scaling=size size_bytes<64KiB size_bytes>8"))
        self.assertEqual({row["size_bytes"] for row in rows}, {"128", "2048", "32768"})
        self.assertNotIn("halo", {row["op"] for row in rows})
        self.assertEqual(rows, self.figure_rows(self.drawn(run, "--select", "op!=halo mpi=Made  MPI 1.0 scaling=size",
                                                           "--select", "size_bytes<64KiB size_bytes>8")))
        self.assertIn("one of: Made MPI 1.0", self.refused(run, "--select", "mpi=Made MPI 2.0"))
        for words, said in (("colour=red", "'colour'"), ("op=hallo", "broadcast"), ("op!=hallo", "expected one of"),
                            ("ranks<=many", "number"), ("ranks=64", "'ranks=64'"), ("ranks>64", "no row is left"), ("halo", "'halo'"),
                            ("", "expected words"), ("=halo", "'=halo'"), ("ranks<", "'ranks<'"),
                            ("size_bytes<=64Kx", "64Kx"), ("mpi\n<x", "column")):
            self.assertIn(said, self.refused(run, "--select", words), words)

    def figure_rows(self, output):
        rows = []
        for name in os.listdir(output):
            if name.endswith(".csv"):
                rows += list(csv.DictReader(self.read(output, name).splitlines()))
        return [row for row in rows if row["case"]]

    def test_runs_in_one_figure(self):
        """A curve for each run, named by its machine, or by a letter where all are from one; the caption says how they differ."""
        runs = [self.write("one"), self.write("two", 1.5, "beta", mpi="Other MPI 2.0")]
        output = self.drawn(*runs, "--select", "op=broadcast scaling=size")
        table = list(csv.DictReader(self.read(output, "size_time_2ranks.csv").splitlines()))
        times = {label: [float(row["time_us"]) for row in table if row["label"] == label] for label in ("alpha", "beta")}
        self.assertEqual(len(table), 10)
        for one, two in zip(times["alpha"], times["beta"]):
            self.assertAlmostEqual(two / one, 1.5)
        caption = self.read(output, "size_time_2ranks.txt")
        for words in ("Curves of alpha: " + runs[0], "Curves of beta: " + runs[1], "Other MPI 2.0",
                      "mpi: Made MPI 1.0 / Other MPI 2.0", "machine.host: alpha / beta", "Launches: 1", "95 % exact binomial"):
            self.assertIn(re.sub(r"[^A-Za-z0-9 _.,:+\-=*()/]", "?", words) if words.startswith("Curves") else words, caption)
        output = self.drawn(runs[0], self.write("three", 2.0), "--select", "op=affine")
        self.assertIn("run B", self.read(output, "layer_speedup_affine.csv"))
        base = re.findall(r"base case: 1 rank, ([\d.e+]+) us", self.read(output, "layer_speedup_affine.txt"))
        self.assertEqual(sorted(set(base)), ["1.6e+04", "4000", "8000"])  # each run has its own; forward and backward
        self.assertIn("no row has", self.refused(*runs, "--output", output + "2", "--select", "op=hallo"))
        self.refused(runs[0], self.folder, "--output", output + "2")

    def test_texts_that_cannot_be_read_are_found(self):
        """A planted overlap, a text outside the canvas, two curves that look alike."""
        run = self.write()
        svg = os.path.join(self.drawn(run, "--select", "op=halo scaling=strong direction=forward"), "time_ranks_halo.svg")
        good = self.read(svg)
        ticks = re.findall(r'translate\(([\d.]+,[\d.]+)\)"[^>]*text-anchor="middle">\s*<text><tspan[^>]*>[1-4]<', good)
        samples = re.findall(r" stroke-dasharray='[^']*'  d='M[\d.]+,[\d.]+ L[\d.]+,[\d.]+  '/>\t<use xlink:href='(#gpPt\d+)'", good)
        for bad, said in ((good.replace(ticks[2], ticks[3]), "overlap"),
                          (good.replace(ticks[3], "316.00," + ticks[3].split(",")[1]), "outside"),
                          (good.replace(">ranks<", "><"), None),
                          (re.sub(r"stroke-dasharray='[^']*'", "", good).replace(samples[0], "#gpPt6"), "grey")):
            self.assertNotEqual(bad, good)
            with open(svg, "w", encoding="utf-8") as file:
                file.write(bad)
            faults = text_faults(svg)
            self.assertEqual(any(said in fault for fault in faults) if said else not faults, True, (said, faults))

    def test_checker_of_figures_looks_at_texts(self):
        run = self.write()
        self.assertEqual(plot(run, "--select", "op=halo").returncode, 0)
        svg = os.path.join(run, "figures", "time_ranks_halo.svg")
        bad = re.sub(r">ranks<", ">" + "ranks " * 40 + "<", self.read(svg))
        with open(svg, "w", encoding="utf-8") as file:
            file.write(bad)
        self.assertIn("outside the canvas", check(run).stdout)

    def test_comparison(self):
        runs = [self.write("one"), self.write("two", 1.5, "beta")]
        output = os.path.join(self.folder, "out")
        subprocess.run([PROGRAM, "compare", *runs, "--output", output], capture_output=True, timeout=120, check=False)
        names = [name for name in os.listdir(os.path.join(output, "figures")) if name.endswith(".svg")]
        self.assertGreater(len(names), 5)
        for name in names:
            self.assertEqual(text_faults(os.path.join(output, "figures", name)), [], name)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
