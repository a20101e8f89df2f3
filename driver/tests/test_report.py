#!/usr/bin/env python3
"""test_report.py TENSORGAUGE COLUMNS_DEF: the page of made runs: what it says, that it is HTML, that every text of a run is
data in it; bad input; how wide it is in Chromium."""
import base64
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from statistics import median

from made_run import FLAGS, Run
from page import Chromium, Page

COLUMNS_DEF = str(pathlib.Path(sys.argv.pop(2)).resolve())
PROGRAM = str(pathlib.Path(sys.argv.pop(1)).resolve())
SIZES = (8, 1024, 65536, 1048576)
EVIL = ("<script>window.hacked=1</script>\"'&amp;<img src=x onerror=\"window.hacked=1\">\x1b[31m\x07\x7f</td></table></pre>"
        "</style></title><!-- javascript:window.hacked=1 \u0085 &#60;b&#62; https://example.org/x.css")
CAMPAIGN = "[campaign]\nname = made\n\n[cells a]\ncase = broadcast shape=N from=1 to=Pc\n"
SHARED = {"oversubscribed": 1, "flags": "noisy skewed"}


def made(launches=7, factor=1.0, build="made", run=None, **other):
    """Two operations in four sizes; launch k takes k % more."""
    run = run or Run(COLUMNS_DEF, ranks=2, hosts=["alpha"])
    for launch in range(launches):
        for op in ("broadcast", "halo"):
            for size in SIZES:
                time_us = (1 + size / 5e3) * factor * (1 + launch / 100)
                row = {"build": build, "mpi": "Made MPI 1.0", "scaling": "size", "size_bytes": size, "grid_x": "1",
                       "grid_y": "2c", "world_size": 2, "nodes": 1, "threads": 1, "held_x_bytes": size,
                       "held_y_bytes": size, "algbw_GBps": size / time_us / 1e3, "bound_us": time_us / 4,
                       "bound_fraction": 0.25 if op == "halo" and size == 8 else 0.75, "estimator": "median_of_max"}
                run.add(f"{op} shape={size // 4} from=1 to=2c dtype=f32 algorithm=mpi", time_us, launch=launch, **row | other)
    return run


class Report(unittest.TestCase):
    def setUp(self):
        self.top = pathlib.Path(tempfile.mkdtemp(prefix="tensorgauge report "))
        self.addCleanup(shutil.rmtree, self.top)

    def run_it(self, *words, verb="report", **more):
        return subprocess.run([PROGRAM, verb, *map(str, words)], cwd=self.top, capture_output=True, text=True, timeout=100,
                              **more)

    def page(self, *words, output=None, **more):
        """The page, which has no fault, asks for nothing outside it and holds nothing that runs."""
        done = self.run_it(*words, **more)
        path = pathlib.Path(output or words[0] / "report.html")
        self.assertEqual((done.returncode, done.stderr, done.stdout), (0, "", f"{path}\n"))
        self.path = path
        with open(path, encoding="utf-8", newline="") as file:
            page = Page(file.read())
        self.assertEqual(page.faults, [])
        self.assertEqual({tag for tag, _ in page.elements} & {"script", "iframe", "object", "embed", "svg", "link", "base",
                                                               "form", "foreignobject", "math", "template"}, set())
        for tag, attributes in page.elements:
            for name, value in attributes.items():
                self.assertNotRegex(name, r"\Aon|\Astyle\Z|\Asrcset\Z", tag)
                self.assertFalse(name == "href" and not value.startswith("#"), value)
                self.assertFalse(name == "src" and not re.match(r"data:image/svg\+xml;base64,[A-Za-z0-9+/]+=*\Z", value), value)
        policy = [meta["content"] for meta in page.attributes("meta") if "http-equiv" in meta]
        self.assertEqual(policy, ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"])
        self.assertTrue(all(image.get("alt") for image in page.attributes("img")))
        self.assertTrue(all(head.get("scope") in ("col", "row") for head in page.attributes("th")))
        self.assertTrue({"#" + id_ for id_ in page.ids} >= {a["href"] for a in page.attributes("a")})
        self.assertEqual(len(page.attributes("h2")), 6)
        return page

    def refused(self, *words, says="expected"):
        before = sorted((str(path), path.stat().st_size) for path in self.top.rglob("*"))
        done = self.run_it(*words)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertRegex(done.stderr, r"\Atensorgauge: [^\n]+\n\Z")
        self.assertIn(says, done.stderr)
        self.assertEqual(sorted((str(path), path.stat().st_size) for path in self.top.rglob("*")), before)

    def test_one_run(self):
        run = made()
        run.planned = len(run.rows) + 3
        folder = run.write(self.top / "a run")
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        record |= {"command": ["tensorgauge", "run", "it's", "--ranks", "1,2"], "campaign": {"name": "made", "text": CAMPAIGN},
                   "source": {"commit": "c0ffee", "dirty": False}}
        record["machine"] = {"host": "alpha", "cores": 2, "cpu_model": "Made CPU", "cpu_flags": FLAGS}
        (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
        page = self.page(folder)
        self.assertIn("INCOMPLETE", page.text)
        self.assertIn("56 of 56 rows are ok, 0 wrong, 0 without a time (0 of them killed), 3 planned ones missing", page.text)
        self.assertIn("Far from the bound: 1 of 8 cells", page.text)
        self.assertIn("tensorgauge run 'it'\\''s' --ranks 1,2\n", page.text)
        self.assertIn(CAMPAIGN, page.text)
        for row in (["source.commit", "c0ffee"], ["machine.host", "alpha"], ["machine.cpu_flags", " ".join(FLAGS)]):
            self.assertIn(row, page.rows)
        # a table for each operation, in the order of sizes; median and interval worked out again
        cells = [row for row in page.rows if len(row) == 11 and row[0].startswith(("broadcast", "halo"))]
        self.assertEqual([row[3] for row in cells], 2 * ["8 B", "1 KiB", "64 KiB", "1 MiB"])
        for row, size in zip(cells, 2 * SIZES):
            times = sorted((1 + size / 5e3) * (1 + launch / 100) for launch in range(7))
            self.assertEqual([row[1], row[2], row[4]], ["forward", "2", "7"])
            self.assertEqual(row[5:8], [f"{value:.4g}" for value in (median(times), times[0], times[-1])])
        # each figure that was drawn stands in the page as it is, with its caption
        svgs = sorted((folder / "figures").glob("*.svg"))
        self.assertGreater(len(svgs), 1)
        images = page.attributes("img")
        self.assertEqual([base64.b64decode(image["src"].split(",")[1]) for image in images], [svg.read_bytes() for svg in svgs])
        for svg in svgs:
            self.assertIn(" ".join(svg.with_suffix(".txt").read_text(encoding="utf-8").split()), " ".join(page.text.split()))
        # a report of ours is written anew; figures that are there are not drawn again
        svgs[0].write_text("<svg xmlns='http://www.w3.org/2000/svg'/>", encoding="utf-8")
        page = self.page(folder)
        self.assertEqual(base64.b64decode(page.attributes("img")[0]["src"].split(",")[1]), svgs[0].read_bytes())
        svgs[1].unlink()
        self.page(folder)
        self.assertTrue(svgs[1].exists())

    def test_what_is_unusual(self):
        folder = made(launches=2).write(self.top / "quiet")
        self.assertIn("no noisy or skewed row", self.page(made(launches=2, bound_fraction="").write(self.top / "calm")).text)
        self.assertNotIn("no noisy or skewed row", self.page(folder).text)  # far from its bound
        run = made(launches=2, bound_fraction="")
        run.blas = ["Haswell"]
        for index, change in enumerate(({"status": "wrong", "wrong": 3}, {"status": "killed", "t_median_us": ""}, SHARED,
                                        {"flags": "above_bound short"}, {"flags": "not_noisy"})):
            run.rows[index] |= change
        page = self.page(run.write(self.top / "odd"))
        for words in ("WRONG: there", "Wrong values: 1 of 16 rows", "No time: 1 of 16", "Ranks share cores: 1 of 16", "Noisy: 1 of",
                      "Skewed: 1 of", "Below the bound: 1 of", "A slow BLAS kernel", "alpha: BLAS kernel Haswell"):
            self.assertIn(words, page.text)
        self.assertNotIn("Far from", page.text)
        self.assertLess(page.text.index("WRONG: there"), page.text.index("Wrong values: 1"))

    def test_judgement(self):
        folder = made().write(self.top / "run")
        self.assertIn("OK: every cell has a time", self.page(folder).text)
        self.assertEqual(self.run_it(folder, verb="accept").returncode, 0)
        page = self.page(folder)
        self.assertIn("UNDECIDED", page.text)
        self.assertIn(["values", "pass", "56 rows of 8 cells, none wrong"], page.rows)
        broken = made()
        broken.rows[4] |= {"status": "wrong", "wrong": 2}
        folder = broken.write(self.top / "broken")
        self.assertEqual(self.run_it(folder, verb="accept").returncode, 1)
        page = self.page(folder)
        self.assertIn("FAIL: a rule failed", page.text)
        self.assertIn("values: halo shape=2 from=1 to=2c dtype=f32 algorithm=mpi forward on 2 ranks: 2 wrong elements", page.text)
        (folder / "judgement.json").write_text("{", encoding="utf-8")
        self.assertIn("judgement.json holds no verdict", self.page(folder).text)

    def test_comparison(self):
        a, b = made(10).write(self.top / "a"), made(10, 1.3).write(self.top / "b")
        page = self.page(a, b, "--output", self.top / "both.html", output=self.top / "both.html")
        self.assertIn("Against A: 8 of 8 cells slower, 0 faster, 0 the same, 0 undecided", page.text)
        self.assertIn("8 cells compared: 8 slower", page.text)
        self.assertEqual(sum(row[0] == "slower" for row in page.rows), 8)
        self.assertEqual({row[8] for row in page.rows if row[0] == "slower"}, {"1.300"})
        self.assertEqual(sum("compare_" in image["alt"] for image in page.attributes("img")), 2)
        self.assertGreater(len(page.attributes("img")), 4)
        self.assertFalse((a / "report.html").exists())
        # two builds of one run; and runs that share no cell
        run = made(6, build="first")
        both = made(6, build="second", run=run).write(self.top / "builds")
        page = self.page(both)
        self.assertIn("Against A: 0 of 8 cells slower, 0 faster, 8 the same, 0 undecided", page.text)
        self.assertEqual([row[1] for row in page.rows if row[0] in ("A", "B")], [f"{both}/first", f"{both}/second"])
        other = Run(COLUMNS_DEF, ranks=2)
        other.add("scatter shape=2", 1.0, build="made")
        page = self.page(a, other.write(self.top / "other"), "--output", self.top / "none.html", output=self.top / "none.html")
        self.assertIn("no cell in common", page.text)

    def hostile(self):
        run = made(6)
        with open(COLUMNS_DEF, encoding="utf-8") as file:
            texts = set(re.findall(r"^TGB_COLUMN\((\w+), \"text\"", file.read(), re.M)) - {"status"}
        self.assertGreater(len(texts), 15)
        for index, row in enumerate(run.rows):
            if index % 2:
                row |= {name: EVIL + str(index % 8) for name in texts}
            if index % 8 == 3:
                row["status"] = EVIL
        run.hosts, run.blas = [EVIL], ["Haswell"]
        folder = run.write(self.top / EVIL.replace("/", "|"))
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        record |= {"command": [EVIL, "\n"], "campaign": {"text": EVIL + "\n\t" + EVIL, EVIL: EVIL}, EVIL: {EVIL: [EVIL, [EVIL]]},
                   "deep": [[{EVIL: {EVIL: {EVIL: {EVIL: {EVIL: {EVIL: {EVIL: EVIL}}}}}}}]], "builds": [{EVIL: EVIL}, 3],
                   "settings": {"sync": None, "x": True}}
        (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
        (folder / "judgement.json").write_text(json.dumps({"verdict": EVIL, "rules": [
            {"rule": EVIL, "verdict": EVIL, "text": EVIL, "findings": [{"culprit": EVIL, "text": EVIL}, 7]}, EVIL]}),
            encoding="utf-8")
        (folder / "figures").mkdir()
        svg = ("<svg xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink' width='300' height='200' "
               "onload='window.hacked=1;parent.hacked=1'><script>window.hacked=1;parent.hacked=1;top.hacked=1</script>"
               "<image xlink:href='http://127.0.0.1:9/a.png' width='9' height='9'/><foreignObject width='50' height='50'><body "
               "xmlns='http://www.w3.org/1999/xhtml'><script>parent.hacked=1</script></body></foreignObject></svg>")
        for name in ("evil", 'evil" onerror="window.hacked=1', "<script>window.hacked=1<|script>"):
            (folder / "figures" / (name + ".svg")).write_text(svg, encoding="utf-8")
            (folder / "figures" / (name + ".txt")).write_text(EVIL + "\n" + EVIL, encoding="utf-8")
        (folder / "figures" / "bytes.svg").write_bytes(b"\xff\xfe<svg>\0")
        (folder / "figures" / "bytes.txt").write_bytes(b"caption \xff\xc3\xed\xa0\x80 end")
        return folder

    def test_hostile_fields_are_data(self):
        folder = self.hostile()
        page = self.page(folder)
        said = re.sub(r"[\x00-\x1f\x7f]", "?", EVIL).replace("\u0085", "??")
        self.assertGreater(page.text.count(said), 40)
        page = self.page(folder, made(6).write(self.top / "tame"), "--output", self.top / "both.html",
                         output=self.top / "both.html")
        self.assertGreater(page.text.count(said), 40)

    def test_large_fields(self):
        run = made(2)
        for name in ("placement", "flags", "case", "op"):
            run.rows[0][name] = name + "<" * 20000
        page = self.page(run.write(self.top / "run"), env={"PATH": str(self.top)})  # no gnuplot: it is slow with such names
        self.assertIn("op" + "<" * 900, page.text)
        self.assertLess(self.path.stat().st_size, 200000)

    def test_without_figures_or_record(self):
        run = Run(COLUMNS_DEF, ranks=2)
        run.record = False
        page = self.page(run.write(self.top / "empty"))
        self.assertIn("EMPTY: nothing was measured", page.text)
        self.assertIn("holds nothing to draw", page.text)
        self.assertIn("not known", page.text)
        folder = made(2).write(self.top / "run")
        done = self.run_it(folder, env={"PATH": str(self.top)})
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("gnuplot is not installed", (folder / "report.html").read_text(encoding="utf-8"))

    def test_bad_input(self):
        a = made(2).write(self.top / "a")
        self.refused(says="no run given")
        self.refused(self.top / "absent", says="is not a folder")
        self.refused(self.top, says="holds no cells.csv")
        self.refused(a, a, says="--output FILE")
        self.refused(a, "--colour", says="'--colour'")
        self.refused(a, "--output", "", says="--output ''")
        self.refused(a, "--output", a / "cells.csv", says="is no HTML file")
        for column, value in (("size_bytes", "many"), ("t_median_us", "nan"), ("schema", "2"), ("bound_fraction", "1e999"),
                              ("oversubscribed", "no")):
            run = made(1)
            run.rows[2][column] = value
            self.refused(run.write(self.top / column), says=f"line 4, column {column}")
        for name, text in (("cut", "schema,case\n\"1"), ("none", ""), ("narrow", "schema\n1\n")):
            (self.top / name).mkdir()
            (self.top / name / "cells.csv").write_text(text, encoding="utf-8")
            self.refused(self.top / name, says=name)

    @unittest.skipUnless(shutil.which("chromium"), "chromium is not installed")
    def test_in_chromium(self):
        """At the width of a desk, a phone and a sheet of paper nothing is wider than the page, no script runs (although scripts
        are allowed here, in spite of the page's policy), and nothing is asked for."""
        tame, other = made(7).write(self.top / "tame"), made(7, 1.2).write(self.top / "other")
        pages = [tame / "report.html", self.top / "both.html"]
        self.page(tame)
        self.page(tame, other, "--output", pages[1], output=pages[1])
        hostile = self.hostile()
        self.page(hostile, "--output", self.top / "hostile.html", output=self.top / "hostile.html")
        wide = ("[...document.querySelectorAll('body *')].filter(e => !e.parentElement.closest('.box, pre') && "
                "e.getBoundingClientRect().right > %d + 0.5).map(e => e.outerHTML.slice(0, 200))")
        with Chromium() as browser:
            probe = self.top / "probe.html"  # the looks can fail
            probe.write_text("<p style='width:2000px'>wide</p><img src=x onerror='window.hacked=1'>", encoding="utf-8")
            self.assertEqual(len(browser.show(probe, 390)), 2)
            self.assertEqual(browser.value("[window.hacked, " + wide % 390 + ".length]"), [1, 1])
            for path in (*pages, self.top / "hostile.html"):
                for width, media in ((1280, "screen"), (390, "screen"), (680, "print")):
                    asked = browser.show(path, width, media)
                    self.assertEqual({address.split(":")[0] for address in asked[1:]} - {"data"}, set())
                    self.assertEqual(browser.value(wide % width), [], (path.name, width))
                    self.assertLessEqual(browser.value("document.documentElement.scrollWidth"), width, path.name)
                    self.assertEqual(browser.value("typeof window.hacked"), "undefined")
                    images = browser.value("[...document.images].map(i => i.complete && i.naturalWidth > 0)")
                    self.assertGreater(len(images), 1)
                    if path in pages:
                        self.assertTrue(all(images))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
