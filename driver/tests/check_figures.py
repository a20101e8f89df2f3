#!/usr/bin/env python3
"""check_figures.py RUN [--figures DIR] [--least N]: do the figures of a run agree with its cells.csv?

An independent reader: it shares no code with `tensorgauge plot`. From cells.csv alone it says which cells each figure
must draw, at which value, and which marks must be hollow (oversubscribed); then it reads the marks of each SVG.
Checked of each figure: all six files are there; every drawn value is one of an `ok` cell and is right; the filled and
hollow marks are as many as the cells, and stand where the values say; no `ok` cell of a question is missing; texts and
legend can be read (figure_text.py).
Exit status: 0 good, 1 a figure is wrong, 2 wrong words or files.
"""
import argparse
import collections
import csv
import math
import os
import re
import statistics
import struct
import sys
import xml.etree.ElementTree as xml

from figure_text import text_faults

SVG = "{http://www.w3.org/2000/svg}"
LINK = "{http://www.w3.org/1999/xlink}href"
FILLED = {"#gpPt%d" % n for n in (4, 6, 8, 10, 12, 14)}
HOLLOW = {"#gpPt%d" % n for n in (3, 5, 7, 9, 11, 13)}
BESIDE = {"raw:MPI_Bcast": "broadcast", "raw:MPI_Reduce": "sum_reduce",
          "raw:MPI_Allreduce": "all_sum_reduce", "raw:MPI_Alltoallw": "repartition",
          "raw:MPI_Scatterv": "scatter", "raw:MPI_Gatherv": "gather", "raw:MPI_Allgatherv": "all_gather",
          "raw:MPI_Reduce_scatter": "reduce_scatter", "raw:MPI_Alltoallv": "repartition", "raw:MPI_Sendrecv": "send_recv"}

Question = collections.namedtuple("Question", "scaling column x wants value")


def safe(text):
    return re.sub(r"[^A-Za-z0-9 _.,:+\-=*()/]", "?", text)


def number(text):
    return float(text) if text else math.nan


class Cells:
    """The ok rows of cells.csv, launches of a cell put together by the median."""

    def __init__(self, path):
        with open(path, newline="", encoding="utf-8", errors="surrogateescape") as file:
            rows = [row for row in csv.DictReader(file) 
                    if row["status"] == "ok" and number(row["t_median_us"]) > 0]
        divided = self.phases(os.path.join(os.path.dirname(path), "phases.csv"))
        self.layers = {row["op"] for row in rows if row["direction"] in ("backward", "step") or " batch=" in row["case"]}
        groups = collections.defaultdict(list)
        for row in rows:
            groups[row["build"], row["case"], row["direction"], row["scaling"], int(row["ranks"])].append(row)
        self.cells = {}
        for key, launches in groups.items():
            cell = dict(launches[0])
            cell["time"] = statistics.median(number(row["t_median_us"]) for row in launches)
            for rate in ("busbw_GBps", "algbw_GBps"):
                cell[rate] = number(launches[0][rate]) * number(launches[0]["t_median_us"]) / cell["time"]
            cell["phases"] = self.mean([divided[row["launch"], row["cell"]] for row in launches
                                        if (row["launch"], row["cell"]) in divided])
            cell["hollow"] = number(cell["oversubscribed"]) > 0
            cell["ranks"], cell["size"] = int(cell["ranks"]), number(cell["size_bytes"])
            cell["beside"] = BESIDE.get(cell["op"], cell["op"])
            self.cells[key] = cell

    @staticmethod
    def phases(path):
        """{(launch, cell): {phase: median over ranks}} of the cells that have numbers."""
        found = collections.defaultdict(dict)
        if os.path.exists(path):
            with open(path, newline="", encoding="utf-8") as file:
                for line in csv.DictReader(file):
                    if line["median_us"]:
                        found[line["launch"], line["cell"]][line["phase"]] = float(line["median_us"])
        return found

    @staticmethod
    def mean(launches):
        return {phase: statistics.fmean(one[phase] for one in launches) for phase in launches[0]} if launches else {}

    def layer(self, cell):
        return cell["op"] in self.layers

    def forward_primitive(self, cell):
        return not self.layer(cell) and not cell["op"].startswith("machine:") and cell["direction"] == "forward"

    def partner(self, cell):
        """The forward cell of an adjoint."""
        key = (cell["build"], cell["case"], "forward", cell["scaling"], cell["ranks"])
        return self.cells.get(key)

    def bases(self, cell):
        """Cells that may be the base of this one: those with the fewest ranks that are not oversubscribed."""
        same = [c for c in self.cells.values() if not c["hollow"] and all(
            c[k] == cell[k] for k in ("op", "direction", "algorithm", "dtype", "build", "scaling"))]
        first = min((c["ranks"] for c in same), default=None)
        return [c for c in same if c["ranks"] == first]


def questions(cells):
    def any_layer(cell):
        return cells.layer(cell)

    rivals = collections.defaultdict(set)  # algorithms of one operation
    for one in cells.cells.values():
        if one["scaling"] == "size" and not one["op"].startswith("raw:"):
            rivals[one["op"], one["direction"], one["ranks"]].add(one["algorithm"])

    def contested(cell):
        return (not any_layer(cell) and not cell["op"].startswith("machine:") and "in-place=yes" not in cell["case"]
                and len(rivals[cell["beside"], cell["direction"], cell["ranks"]]) > 1)

    def adjoint(cell):
        return cell["direction"] in ("adjoint", "backward") and cells.partner(cell) is not None

    def time(cell):
        return [cell["time"]]

    def speedup(cell):
        return [b["ranks"] * b["time"] / cell["time"] for b in cells.bases(cell)]

    def efficiency(cell):
        return [value / cell["ranks"] for value in speedup(cell)]

    def ratio(cell):
        return [cell["time"] / cells.partner(cell)["time"]]

    def both(cell):
        return any_layer(cell) or cells.forward_primitive(cell)

    def based(cell):
        return any_layer(cell) and bool(cells.bases(cell))

    def rate(column):
        return lambda cell: cells.forward_primitive(cell) and cell[column] > 0, lambda cell: [cell[column]]

    def machine(*ops):
        return lambda cell: cell["op"] in ["machine:" + op for op in ops]

    def divided(cell):
        return any_layer(cell) and bool(cell["phases"])

    def total(cell):
        return [cell["phases"]["total"]]

    def half(cell):
        return [cell["time"] / 2]

    def algbw(cell):
        return [cell["algbw_GBps"]]

    return {
        "one_way": Question("size", "time_us", "size", machine("one_way"), half),
        "link": Question("size", "algbw_GBps", "size", machine("one_way", "both_ways", "stream"), algbw),
        "memory": Question("size", "algbw_GBps", "size", machine("copy", "triad"), algbw),
        "time_ranks": Question("strong", "time_us", "ranks", cells.forward_primitive, time),
        "phases_weak": Question("weak", "total_us", "ranks", divided, total),
        "phases": Question("strong", "total_us", "ranks", divided, total),
        "layer_time": Question("strong", "time_us", "ranks", any_layer, time),
        "layer_speedup": Question("strong", "speedup", "ranks", based, speedup),
        "layer_efficiency": Question("strong", "efficiency", "ranks", based, efficiency),
        "weak": Question("weak", "time_us", "ranks", both, time),
        "size_time": Question("size", "time_us", "size", both, time),
        "algorithms": Question("size", "time_us", "size", contested, time),
        "size_busbw": Question("size", "busbw_GBps", "size", *rate("busbw_GBps")),
        "size_algbw": Question("size", "algbw_GBps", "size", *rate("algbw_GBps")),
        "adjoint": Question("strong", "ratio", "ranks", adjoint, ratio),
    }


def marks_of(path):
    """(x, y) of the filled and of the hollow marks of data. The groups of the legend have the titles of series."""
    filled, hollow = [], []
    for group in xml.parse(path).getroot().iter(SVG + "g"):
        title = group.find(SVG + "title")
        if title is None or title.text != group.get("id"):
            continue
        for use in group.iter(SVG + "use"):
            place = re.match(r"translate\(([-\d.]+),([-\d.]+)\)", use.get("transform", ""))
            if use.get(LINK) in FILLED | HOLLOW:
                kind = filled if use.get(LINK) in FILLED else hollow
                kind.append((float(place.group(1)), float(place.group(2))))
    return filled, hollow


def straight(expected, seen, slack, what):
    """Pixels must be a straight line of the values (logarithms on such an axis)."""
    pairs = sorted((e, s) for group in zip(expected, seen) for e, s in zip(*group))
    (low, first), (high, last) = pairs[0], pairs[-1]
    if high - low < 1e-9:
        return []
    slope = (last - first) / (high - low)
    worst = max(abs(first + slope * (e - low) - s) for e, s in pairs)
    return ["%s of the marks is off by %.1f px" % (what, worst)] if worst > slack else []


def check_bars(name, filled, hollow, drawn):
    """The phases of each bar, and a circle above each that is oversubscribed."""
    faults = []
    with open(name + ".csv", newline="", encoding="utf-8") as file:
        rows = {int(row["ranks"]): row for row in csv.DictReader(file)}
    for cell, _ in drawn:
        wanted = {phase: us for phase, us in cell["phases"].items() if phase != "total"}
        seen = {phase: number(rows[cell["ranks"]].get(phase + "_us", "")) for phase in wanted}
        if len(wanted) != 4 or not all(math.isclose(us, seen[phase], rel_tol=1e-9, abs_tol=1e-9) for phase, us in wanted.items()):
            faults.append("draws %s at %d ranks, the cell has %s" % (seen, cell["ranks"], wanted))
    circles = sum(cell["hollow"] for cell, _ in drawn)
    if filled or len(hollow) != circles:
        faults.append("%d marks and %d circles, but %d bars are oversubscribed" % (len(filled), len(hollow), circles))
    return faults


def check_marks(name, question, drawn):
    filled, hollow = marks_of(name + ".svg")
    faults = []
    if question.column == "total_us":
        return check_bars(name, filled, hollow, drawn)
    for kind, seen, flag in (("filled", filled, False), ("hollow", hollow, True)):
        count = sum(cell["hollow"] == flag for cell, _ in drawn)
        if count != len(seen):
            faults.append("%d %s marks, but %d cells" % (len(seen), kind, count))
    if faults:
        return faults
    linear = question.column == "efficiency"
    across, up, seen_x, seen_y = [], [], [], []
    for seen, flag in ((filled, False), (hollow, True)):
        some = [(cell, value) for cell, value in drawn if cell["hollow"] == flag]
        across.append(sorted(math.log2(cell[question.x]) for cell, _ in some))
        up.append(sorted((value if linear else math.log(value) for _, value in some), reverse=True))
        seen_x.append(sorted(x for x, _ in seen))
        seen_y.append(sorted(y for _, y in seen))
    # Marks that would cover each other stand side by side: up to 20 px from each other.
    return straight(across, seen_x, 20 if question.x == "ranks" else 0.6, "x") + straight(up, seen_y, 0.6, "y")


def check_files(name):
    faults = []
    for ending, least, head in (("pdf", 2000, b"%PDF-"), ("svg", 2000, b"<?xml"), ("png", 2000, b"\x89PNG\r\n\x1a\n"),
                                ("gp", 500, b"#"), ("csv", 50, b"series,"), ("txt", 100, b"")):
        try:
            with open("%s.%s" % (name, ending), "rb") as file:
                data = file.read()
        except OSError as error:
            faults.append(str(error))
            continue
        if len(data) < least or not data.startswith(head):
            faults.append(".%s is empty or of another kind" % ending)
        if ending == "png" and min(struct.unpack(">II", data[16:24])) < 400:
            faults.append(".png is too small")
        if ending == "svg" and b"<text>" not in data:
            faults.append(".svg holds no text as text")
    return faults


def check_figure(name, question, cells):
    """Faults of one figure, and the cells that it draws."""
    by_case = collections.defaultdict(list)
    for cell in cells.cells.values():
        if cell["scaling"] == question.scaling and question.wants(cell):
            by_case[safe(cell["case"]), safe(cell["direction"]), cell["ranks"]].append(cell)
    faults, drawn = check_files(name), []
    with open(name + ".csv", newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if not row[question.column]:
                continue
            value = float(row[question.column])
            for cell in by_case[row["case"], row["direction"], int(row["ranks"])]:
                right = any(math.isclose(value, v, rel_tol=1e-9) for v in question.value(cell))
                if right and (row["oversubscribed"] == "1") == cell["hollow"]:
                    drawn.append((cell, value))
                    if question.column == "time_us" and not math.isclose(
                            number(row["bound_us"] or "0"), number(cell["bound_us"] or "0"), rel_tol=1e-9):
                        faults.append("has bound_us = %s of %s; its cell has %s" % (
                            row["bound_us"], row["case"], cell["bound_us"]))
                    break
            else:
                faults.append("draws %s = %s of %s %s, which no ok cell of the run has" % (
                    question.column, row[question.column], row["direction"], row["case"]))
    if not drawn:
        return faults + ["draws nothing"], drawn
    bounded = any(cell["bound_us"] and not cell["hollow"] and not cell["op"].startswith("raw:") for cell, _ in drawn)
    with open(name + ".svg", encoding="utf-8") as file:
        shown = re.search(r">bound<", file.read())
    if bool(shown) != (bounded and question.column == "time_us"):
        faults.append("shows %s bound; its cells have %s" % ("a" if shown else "no", "one" if bounded else "none"))
    return faults + check_marks(name, question, drawn), drawn


def missing(question, cells, drawn):
    """Cells that a figure of this question must draw: those of a sweep with two places at least."""
    sweeps = collections.defaultdict(list)
    for cell in cells.cells.values():
        if cell["scaling"] == question.scaling and question.wants(cell):
            fixed = cell["size"] if question.scaling == "strong" else cell["ranks"] if question.scaling == "size" else ""
            sweeps[cell["op"], cell["direction"], cell["algorithm"], cell["dtype"], cell["build"], fixed].append(cell)
    must = {id(c): c for s in sweeps.values() if len({c[question.x] for c in s}) > 1 for c in s}
    return [cell for key, cell in must.items() if key not in drawn]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run")
    parser.add_argument("--figures", help="default: RUN/figures")
    parser.add_argument("--least", type=int, default=1, help="so many figures at least")
    words = parser.parse_args()
    folder = words.figures or os.path.join(words.run, "figures")
    try:
        cells = Cells(os.path.join(words.run, "cells.csv"))
        names = sorted(f[:-3] for f in os.listdir(folder) if f.endswith(".gp"))
    except (OSError, KeyError, ValueError) as error:
        print("check_figures: %s" % error, file=sys.stderr)
        return 2
    faults, marks, known = [], 0, questions(cells)
    drawn = collections.defaultdict(set)
    for name in names:
        stem = next((s for s in known if name.startswith(s + "_")), None)
        if not stem:
            faults.append("%s: no known question" % name)
            continue
        found, shown = check_figure(os.path.join(folder, name), known[stem], cells)
        found += text_faults(os.path.join(folder, name + ".svg"))
        faults += ["%s: %s" % (name, fault) for fault in found]
        drawn[stem].update(id(cell) for cell, _ in shown)
        marks += len(shown)
    for stem, question in known.items():
        elsewhere = drawn["algorithms"] if stem.startswith("size_") else set()  # these keep to one algorithm
        faults += ["%s: no figure draws %s %s" % (stem, cell["direction"], safe(cell["case"]))
                   for cell in missing(question, cells, drawn[stem] | elsewhere)]
    if len(names) < words.least or marks == 0:
        faults.append("%d figures with %d marks; expected at least %d figures" % (len(names), marks, words.least))
    for fault in faults:
        print("check_figures: %s" % fault)
    print("check_figures: %d figures, %d marks, %d faults" % (len(names), marks, len(faults)))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
