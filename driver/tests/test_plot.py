#!/usr/bin/env python3
"""test_plot.py TENSORGAUGE COLUMNS_DEF: figures of a made run agree with its cells; hostile and bad input are harmless."""
import csv
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM, COLUMNS_DEF = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
with open(COLUMNS_DEF, encoding="utf-8") as definition:
    COLUMNS = re.findall(r"^TGB_COLUMN\((\w+)", definition.read(), re.M)
RAW = {"broadcast": "raw:MPI_Bcast", "sum_reduce": "raw:MPI_Reduce", "all_sum_reduce": "raw:MPI_Allreduce",
       "repartition": "raw:MPI_Alltoallw"}
CORES = 2


def cell(op, direction, ranks, scaling, size, time_us, words="", **more):
    row = dict.fromkeys(COLUMNS, "")
    row.update(schema=1, run_id="20261123T091500Z_host_made", launch=0, build="made", mpi="Made MPI 1.0", op=op,
               direction=direction, case="%s shape=%d to=%dc%s dtype=f32 algorithm=mpi" % (op, size // 4, ranks, words),
               algorithm="mpi", dtype="f32", ranks=ranks, world_size=ranks, nodes=1, threads=1,
               oversubscribed=int(ranks > CORES), scaling=scaling, size_bytes=size, held_x_bytes=size // ranks,
               held_y_bytes=size // ranks, t_median_us=repr(time_us), ci_lo_us=repr(0.97 * time_us),
               ci_hi_us=repr(1.05 * time_us), algbw_GBps=repr(size / time_us / 1e3), status="ok", wrong=0,
               grid_x="1", grid_y="%dc" % ranks)
    if ranks > 1 and op != "affine":
        row["busbw_GBps"] = repr(size / time_us / 1e3)
    row.update(more)
    return row


def good_cells():
    """All questions: strong and weak at 1 to 4 ranks, sizes on 2 ranks, adjoints, raw calls, a layer."""
    rows = []
    for number, op in enumerate(("broadcast", "sum_reduce", "all_sum_reduce", "repartition", "halo", "send_recv")):
        for ranks in (1, 2, 3, 4):
            for size in (8, 65536):
                time_us = (1 + 0.3 * number) * (0.2 + 0.5 * ranks + size / 9e3)
                rows.append(cell(op, "forward", ranks, "strong", size, time_us))
                rows.append(cell(op, "adjoint", ranks, "strong", size, 1.2 * time_us))
                if op in RAW:
                    rows.append(cell(RAW[op], "forward", ranks, "strong", size, 0.9 * time_us))
            rows.append(cell(op, "forward", ranks, "weak", 65536 * ranks, (9 + number) * (1 + 0.1 * ranks), " weak=1"))
        for size in (8, 128, 2048, 32768, 524288):
            time_us = (1 + 0.3 * number) * (0.5 + size / 8e3)
            rows.append(cell(op, "forward", 2, "size", size, time_us, " sweep=1"))
            if op in RAW:
                rows.append(cell(RAW[op], "forward", 2, "size", size, 0.9 * time_us, " sweep=1"))
    for direction, factor in (("forward", 1), ("backward", 2)):
        for ranks in (1, 2, 3, 4):
            rows.append(cell("affine", direction, ranks, "strong", 4194304, factor * 4000 / ranks ** 1.1, " batch=64",
                             flops=factor * 134217728))
            rows.append(cell("affine", direction, ranks, "weak", 4194304 * ranks, factor * (4000 + 50 * ranks),
                             " batch=64 features=1024:%d" % (1024 * ranks), flops=factor * ranks * 134217728))
    return rows


def bounded(rows):
    """A lower bound for each time but those of weak scaling."""
    return [dict(row, bound_us="" if row["scaling"] == "weak" else repr(0.25 * float(row["t_median_us"]))) for row in rows]


def machine_cells():
    """What a calibration measures: messages and memory on 2 ranks."""
    rows = []
    for size in (8, 4096, 1048576):
        for op, trips, busy in (("one_way", 2, 2), ("both_ways", 1, 2), ("stream", 16, 2), ("copy", 1, 1), ("copy", 1, 2),
                                ("triad", 1, 1)):
            time_us = trips * (0.3 + size / 1e4) * busy
            rows.append(cell("machine:" + op, "forward", 2, "size", size, time_us, " busy=%d" % busy,
                             grid_x="%dc" % busy, algbw_GBps=repr(trips * size / time_us / 1e3)))
    return rows


def write_run(folder, rows, columns=None):
    os.makedirs(folder)
    with open(os.path.join(folder, "cells.csv"), "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns or COLUMNS, extrasaction="ignore", lineterminator="\r\n")
        writer.writeheader()
        for number, row in enumerate(rows):
            writer.writerow(dict(row, cell=number))


def plot(*words, **more):
    return subprocess.run([PROGRAM, "plot", *words], capture_output=True, text=True, timeout=120, check=False, **more)


def check(*words):
    return subprocess.run([sys.executable, os.path.join(HERE, "check_figures.py"), *words], capture_output=True,
                          text=True, timeout=120, check=False)


def tree(folder):
    return sorted(os.path.join(path, name) for path, _, names in os.walk(folder) for name in names)


class Plot(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="test_plot.")
        self.addCleanup(shutil.rmtree, self.folder)
        self.run_folder = os.path.join(self.folder, "run")
        self.figures = os.path.join(self.run_folder, "figures")

    def draw(self, rows):
        write_run(self.run_folder, rows)
        result = plot(self.run_folder)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return sorted(name[:-3] for name in os.listdir(self.figures) if name.endswith(".gp"))

    def refused(self, *words, **more):
        before = tree(self.folder)
        result = plot(*words, **more)
        self.assertEqual(result.returncode, 2, result)
        self.assertEqual(result.stdout, "")
        self.assertRegex(result.stderr, r"\Atensorgauge: [^\n]+\n\Z")
        self.assertEqual(tree(self.folder), before, "something was written")
        return result.stderr

    def test_figures_agree_with_cells(self):
        names = self.draw(good_cells())
        stems = {"time_ranks_broadcast", "layer_time_affine", "layer_speedup_affine", "layer_efficiency_affine",
                 "weak_broadcast", "weak_affine", "size_time_2ranks", "size_busbw_2ranks", "size_algbw_2ranks",
                 "adjoint_8B", "adjoint_64KiB", "adjoint_affine"}
        self.assertLessEqual(stems, set(names))
        result = check(self.run_folder, "--least", "12")
        self.assertEqual(result.returncode, 0, result.stdout)
        with open(os.path.join(self.figures, "layer_speedup_affine.txt"), encoding="utf-8") as file:
            caption = file.read()
        for words in ("base case: 1 rank, 4000 us", "median over repetitions of the maximum over ranks", "binomial",
                      "Launches: 1.", "oversubscribed", "superlinear", "Made MPI 1.0", " Nodes: 1. "):
            self.assertIn(words, caption)

    def test_nodes(self):
        """A figure says on how many nodes its own cells ran."""
        self.draw([dict(row, nodes=row["ranks"]) for row in good_cells()])
        for name, words in (("time_ranks_broadcast", " Nodes: 1 to "), ("size_time_2ranks", " Nodes: 2. ")):
            with open(os.path.join(self.figures, name + ".txt"), encoding="utf-8") as file:
                self.assertIn(words, file.read())

    def test_algorithms(self):
        """Twelve at most stand side by side in one figure, with the raw call; one algorithm alone gives none."""
        rows = bounded(good_cells())
        more = [dict(row, algorithm="way%d" % k, case=row["case"].replace("algorithm=mpi", "algorithm=way%d" % k),
                     t_median_us=repr((1 + 0.1 * k) * float(row["t_median_us"])))
                for k in range(1, 10) for row in rows if row["op"] == "broadcast" and row["scaling"] == "size"]
        names = self.draw(rows + more)
        self.assertEqual([n for n in names if n.startswith("algorithms")], ["algorithms_broadcast_forward_2ranks"])
        with open(os.path.join(self.figures, "algorithms_broadcast_forward_2ranks.csv"), encoding="utf-8") as file:
            labels = {line.split(",")[1] for line in file.read().splitlines()[1:]}
        self.assertEqual(labels, {"mpi", "MPI_Bcast"} | {"way%d" % k for k in range(1, 10)})
        with open(os.path.join(self.figures, "algorithms_broadcast_forward_2ranks.gp"), encoding="utf-8") as file:
            self.assertIn("array bounded[11] = [1%s]" % (10 * ", 0"), file.read(), "one bound for all")
        with open(os.path.join(self.figures, "size_time_2ranks.csv"), encoding="utf-8") as file:
            self.assertNotIn("way", file.read(), "other figures along the size keep to one algorithm")
        result = check(self.run_folder, "--least", "12")
        self.assertEqual(result.returncode, 0, result.stdout)

    def test_weak_families(self):
        """A series is a sweep in one extent, wherever it stands; at 2 ranks space=Nx32 is 32x32, too."""
        sweeps = {"batch=N channels=16:32 space=32x32": 3, "batch=8 channels=16:16 space=Nx32": 16,
                  "batch=8 channels=16:16 space=24xN": 20, "batch=8 channels=16:8 space=NxN": 24}
        rows = []
        for number, (words, first) in enumerate(sweeps.items()):
            for ranks in (1, 2, 3, 4):
                rows.append(cell("convolution", "backward", ranks, "weak", 4096 * ranks, 1000 * (number + 1) + ranks,
                                 " " + words.replace("N", str(first * ranks)) + " parts-out=1", flops=ranks * 1e8))
        self.draw(rows)
        with open(os.path.join(self.figures, "weak_convolution.csv"), encoding="utf-8") as file:
            points = list(csv.DictReader(file))
        self.assertEqual({point["label"] for point in points}, set(sweeps))
        for number, words in enumerate(sweeps):
            times = [float(point["time_us"]) for point in points if point["label"] == words]
            self.assertEqual(times, [1000 * (number + 1) + ranks for ranks in (1, 2, 3, 4)], words)

    def test_bounds_and_calibration(self):
        names = self.draw(bounded(good_cells()) + machine_cells())
        self.assertLessEqual({"one_way_2ranks", "link_2ranks", "memory_2ranks"}, set(names))
        result = check(self.run_folder, "--least", "15")
        self.assertEqual(result.returncode, 0, result.stdout)
        for name, words in (("time_ranks_broadcast", "lower bounds"), ("size_time_2ranks", "lower bounds"),
                            ("layer_time_affine", "lower bounds"), ("one_way_2ranks", "half of there and back"),
                            ("memory_2ranks", "working set")):
            with open(os.path.join(self.figures, name + ".txt"), encoding="utf-8") as file:
                self.assertIn(words, file.read(), name)
        with open(os.path.join(self.figures, "weak_broadcast.txt"), encoding="utf-8") as file:
            self.assertNotIn("lower bounds", file.read())
        with open(os.path.join(self.figures, "memory_2ranks.gp"), encoding="utf-8") as file:
            text = file.read()
        self.assertIn("x_label = 'working set of a rank (bytes)'", text)
        self.assertRegex(text, r"array label\[3\] = \['copy busy=1', 'copy busy=2', 'triad'")
        rows = bounded(good_cells())
        rows[3]["bound_us"] = "7.5"
        write_run(os.path.join(self.folder, "other"), rows + machine_cells())
        shutil.copy(os.path.join(self.folder, "other", "cells.csv"), self.run_folder)
        self.assertEqual(check(self.run_folder).returncode, 1)

    def test_phases(self):
        """Bars of phases for each layer, direction and scaling; another number, a bad one and a lacking column are seen."""
        shares = {"communication": 0.2, "pack": 0.1, "kernel": 0.6, "wait": 0.1, "total": 1}
        rows = good_cells()
        path = os.path.join(self.run_folder, "phases.csv")

        def put(total, columns=("run_id", "launch", "cell", "phase", "min_us", "median_us", "max_us")):
            with open(path, "w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
                writer.writeheader()
                for cell_number, row in enumerate(rows):
                    for phase, share in shares.items():
                        us = "" if row["op"].startswith("raw:") else repr(share * total(row))
                        writer.writerow(dict(run_id=row["run_id"], launch=0, cell=cell_number, phase=phase, min_us=us,
                                             median_us=us, max_us=us))

        write_run(self.run_folder, rows)
        put(lambda row: 1.1 * float(row["t_median_us"]))
        result = plot(self.run_folder)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        names = {name[:-3] for name in os.listdir(self.figures) if name.endswith(".gp")}
        self.assertEqual({n for n in names if n.startswith("phases")}, {
            "phases_affine_forward", "phases_affine_backward", "phases_weak_affine_forward", "phases_weak_affine_backward"})
        result = check(self.run_folder, "--least", "16")
        self.assertEqual(result.returncode, 0, result.stdout)
        with open(os.path.join(self.figures, "phases_affine_forward.txt"), encoding="utf-8") as file:
            caption = file.read()
        for words in ("barrier of our own", "Bars with a circle: oversubscribed", "middle half"):
            self.assertIn(words, caption)
        put(lambda row: 1.2 * float(row["t_median_us"]))
        self.assertEqual(check(self.run_folder).returncode, 1)
        put(lambda row: -1)
        self.assertIn("median_us", self.refused(self.run_folder))
        put(lambda row: 1, ("run_id", "launch", "cell", "phase"))
        self.assertIn("'median_us'", self.refused(self.run_folder))

    def test_checker_sees_faults(self):
        self.draw(good_cells())
        path = os.path.join(self.run_folder, "cells.csv")
        for change in ({"oversubscribed": 1}, {"t_median_us": "7.5"}, {"status": "wrong"}):
            rows = good_cells()
            rows[3].update(change)
            shutil.rmtree(os.path.join(self.folder, "other"), ignore_errors=True)
            write_run(os.path.join(self.folder, "other"), rows)
            shutil.copy(os.path.join(self.folder, "other", "cells.csv"), path)
            self.assertEqual(check(self.run_folder).returncode, 1, change)
        write_run(os.path.join(self.folder, "right"), good_cells())
        shutil.copy(os.path.join(self.folder, "right", "cells.csv"), path)
        svg = os.path.join(self.figures, "size_time_2ranks.svg")
        with open(svg, encoding="utf-8") as file:
            text = file.read()
        for before, after in (("#gpPt6' transform", "#gpPt5' transform"), (r"translate\(([\d.]+),[\d.]+\)( scale)",
                                                                           r"translate(\1,77.00)\2")):
            with open(svg, "w", encoding="utf-8") as file:
                file.write(re.sub(before, after, text, count=1))
            self.assertEqual(check(self.run_folder).returncode, 1, before)

    def test_wrong_cells_are_not_drawn(self):
        rows = good_cells()
        for row in rows[::7]:
            row["status"] = "wrong"
        rows[1]["t_median_us"] = rows[1]["ci_lo_us"] = ""
        names = self.draw(rows)
        result = check(self.run_folder)
        self.assertEqual(result.returncode, 0, result.stdout)
        with open(os.path.join(self.figures, names[0] + ".txt"), encoding="utf-8") as file:
            self.assertIn("Not drawn: ", file.read())

    def test_no_base_that_is_oversubscribed(self):
        rows = [row for row in good_cells() if row["op"] == "affine"]
        for row in rows:
            row["oversubscribed"] = 1
        names = self.draw(rows)
        self.assertIn("layer_time_affine", names)
        self.assertNotIn("layer_speedup_affine", names)

    def test_launches_are_put_together(self):
        rows = []
        for launch in range(7):
            rows += [dict(row, launch=launch, t_median_us=repr(float(row["t_median_us"]) * (1 + 0.01 * launch)))
                     for row in good_cells() if row["op"] == "affine"]
        self.draw(rows)
        self.assertEqual(check(self.run_folder).returncode, 0)
        with open(os.path.join(self.figures, "layer_time_affine.csv"), newline="", encoding="utf-8") as file:
            first = next(csv.DictReader(file))
        self.assertEqual(first["launches"], "7")
        self.assertAlmostEqual(float(first["time_us"]), 4000 * 1.03)
        self.assertAlmostEqual(float(first["lo"]), 4000)  # seven values: the 1st and the 7th
        self.assertAlmostEqual(float(first["hi"]), 4000 * 1.06)
        with open(os.path.join(self.figures, "layer_time_affine.txt"), encoding="utf-8") as file:
            self.assertIn("over launches", file.read())

    def test_redrawn_elsewhere_with_gnuplot_alone(self):
        names = self.draw(good_cells())
        copy = os.path.join(self.folder, "copy")
        os.mkdir(copy)
        for name in names:
            for ending in (".gp", ".csv"):
                shutil.copy(os.path.join(self.figures, name + ending), copy)
        os.rename(self.run_folder, self.run_folder + ".away")
        for name in names:
            result = subprocess.run(["gnuplot", name + ".gp"], cwd=copy, capture_output=True, text=True, timeout=60,
                                    check=False)
            self.assertEqual((result.returncode, result.stderr), (0, ""), name)
            with open(os.path.join(copy, name + ".svg"), "rb") as new, \
                    open(os.path.join(self.run_folder + ".away", "figures", name + ".svg"), "rb") as old:
                self.assertEqual(new.read(), old.read(), name)
        result = subprocess.run(["gnuplot", "-e", "width_cm = 17.4; formats = 'pdf tex'", names[0] + ".gp"], cwd=copy,
                                capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertTrue(os.path.exists(os.path.join(copy, names[0] + "_latex.tex")))

    @unittest.skipUnless(shutil.which("pdffonts"), "pdffonts is not installed")
    def test_fonts_are_embedded(self):
        for name in self.draw(good_cells()):
            fonts = subprocess.run(["pdffonts", os.path.join(self.figures, name + ".pdf")], capture_output=True,
                                   text=True, check=True).stdout.splitlines()[2:]
            self.assertTrue(fonts, name)
            for font in fonts:
                self.assertEqual(font.split()[-5], "yes", font)

    def test_hostile_fields_are_data(self):
        touched = os.path.join(self.folder, "touched")
        evil = ("`touch %s`", "'; system('touch %s'); '", '"; system("touch %s"); "', "$(touch %s)", "| touch %s",
                "< touch %s", "a\nsystem('touch %s')\n", "@evil %s", "../../../%s", "-e system('touch %s')", "\\'; ! touch %s")
        rows = good_cells()
        for index, row in enumerate(rows):
            for column in ("dtype", "algorithm", "build", "mpi", "run_id", "grid_y", "case", "op"):
                if index % 3 == 0:
                    row[column] = evil[index % len(evil)] % touched
        for ranks in (1, 2, 3):
            for words in evil:
                rows.append(cell(words % touched, "forward", ranks, "strong", 64, 3.0 * ranks))
        before = sorted(os.listdir(self.folder))
        names = self.draw(rows)
        self.assertEqual(sorted(os.listdir(self.folder)), sorted(before + ["run"]))
        self.assertEqual(sorted(os.listdir(self.run_folder)), ["cells.csv", "figures"])
        for name in names:
            self.assertRegex(name, r"\A[a-z][A-Za-z0-9_-]*\Z")
        self.assertEqual(len(os.listdir(self.figures)), 6 * len(names))
        for name in names:
            with open(os.path.join(self.figures, name + ".gp"), encoding="utf-8") as file:
                labels = re.search(r"^array label.*$", file.read(), re.M).group()
            self.assertRegex(labels, r"\Aarray label\[\d+\] = \['[A-Za-z0-9 _.,:+=*()/?-]+'(, '[A-Za-z0-9 _.,:+=*()/?-]+')*\]\Z")

    def test_odd_numbers(self):
        rows = good_cells()
        for index, value in enumerate(("1e300", "-1", "0", "1e-300", "")):
            for column in ("ranks", "size_bytes", "t_median_us", "ci_lo_us", "ci_hi_us", "flops"):
                row = rows[(index * 41 + len(column) * 13) % len(rows)]
                row[column] = value
        write_run(self.run_folder, rows)
        self.assertIn(plot(self.run_folder).returncode, (0, 2))

    def test_hostile_files(self):
        """Each is refused with one line that names the line, and the column where there is one."""
        def file_of(name, text):
            os.mkdir(os.path.join(self.folder, name))
            with open(os.path.join(self.folder, name, "cells.csv"), "wb") as file:
                file.write(text)
            return os.path.join(self.folder, name)

        write_run(self.run_folder, good_cells())
        with open(os.path.join(self.run_folder, "cells.csv"), "rb") as file:
            good = file.read().replace(b"\r\n", b"\n")
        lines = good.split(b"\n")

        def spoiled(column, value):
            fields = lines[3].split(b",")
            fields[COLUMNS.index(column)] = value
            return b"\n".join(lines[:3] + [b",".join(fields)] + lines[4:])

        for name, text, words in (
                ("schema", spoiled("schema", b"7"), ("line 4", "column schema")),
                ("no schema", spoiled("schema", b""), ("line 4", "column schema")),
                ("nan", spoiled("t_median_us", b"NaN"), ("line 4", "column t_median_us")),
                ("inf", spoiled("size_bytes", b"-1e400"), ("line 4", "column size_bytes")),
                ("script", spoiled("ranks", b"<script>\x1b[2J"), ("line 4", "column ranks", "<script>?[2J")),
                ("long word", spoiled("ranks", b"9" * 10000000), ("line 4", "column ranks")),
                ("more fields", spoiled("ranks", b"2,3"), ("line 4",)),
                ("quote", spoiled("placement", b'a"b'), ("line 4",)),
                ("open quote", spoiled("placement", b'"a'), ("line",)),
                ("twice", good.replace(b"run_id", b"schema", 1), ("line 1", "'schema'")),
                ("lacking", good.replace(b"t_median_us", b"\x01t\x7f", 1), ("line 1", "'t_median_us'")),
                ("wide", b",".join(b"c%d" % i for i in range(200000)) + b"\n", ("line 1", "200000 columns")),
                ("null", good.replace(b"schema", b"\0\0\0", 1), ("line 1", "'schema'")),
                ("noise", bytes(range(256)) * 40, ())):
            said = self.refused(file_of(name, text))
            for word in words:
                self.assertIn(word, said, name)
            self.assertLess(len(said), 500)
        large = file_of("large", spoiled("placement", b"<script>`x`" * 1000000))
        self.assertEqual(plot(large).returncode, 0)

    def test_bad_input(self):
        write_run(os.path.join(self.folder, "lacking"), good_cells(), [c for c in COLUMNS if c != "oversubscribed"])
        self.assertIn("oversubscribed", self.refused(os.path.join(self.folder, "lacking")))
        write_run(os.path.join(self.folder, "empty"), [])
        self.refused(os.path.join(self.folder, "empty"))
        write_run(os.path.join(self.folder, "wrong"), [dict(row, status="wrong") for row in good_cells()])
        self.assertIn("nothing to draw", self.refused(os.path.join(self.folder, "wrong")))
        os.mkdir(os.path.join(self.folder, "bare"))
        self.refused(os.path.join(self.folder, "bare"))
        self.refused(os.path.join(self.folder, "absent"))
        self.refused(os.path.join(self.folder, "wrong", "cells.csv"))
        self.refused()
        self.refused("--colour")
        self.refused(self.folder, "--output")
        write_run(self.run_folder, good_cells())
        self.assertIn("gnuplot", self.refused(self.run_folder, env=dict(os.environ, PATH=self.folder)))
        self.refused(self.run_folder, "--output", os.path.join(self.run_folder, "cells.csv", "beneath"))

    def test_output_elsewhere(self):
        write_run(self.run_folder, good_cells())
        other = os.path.join(self.folder, "other")
        self.assertEqual(plot(self.run_folder, "--output", other).returncode, 0)
        self.assertFalse(os.path.exists(self.figures))
        self.assertEqual(check(self.run_folder, "--figures", other, "--least", "12").returncode, 0)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
