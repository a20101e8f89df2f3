#!/usr/bin/env python3
"""test_train.py TENSORGAUGE SCHEMA CAMPAIGNS CHECK_FIGURES: `tensorgauge train` with the tgbench and launcher of this build, on images that this test
draws: the run folder and its curves, a run that is stopped and goes on at another rank count, wrong words and files. A small
campaign of layers and a network, whose figures are checked; the campaigns of layers and training can be planned."""
import csv
import json
import pathlib
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

from schema import problems

PROGRAM, SCHEMA = str(pathlib.Path(sys.argv[1]).resolve()), json.loads(pathlib.Path(sys.argv[2]).read_text())
CAMPAIGNS, CHECK_FIGURES = pathlib.Path(sys.argv[3]).resolve(), str(pathlib.Path(sys.argv[4]).resolve())
del sys.argv[1:5]
CAMPAIGN = """[campaign]
name   = small
budget = 12s
calibrate = no
phases = yes
[cells strong]
case      = network:lenet5-batch batch=8
case      = convolution batch=4 channels=2:4 space=8x8 kernel=3x3 padding=1x1 grid=Px1x1x1
ranks     = 1,2
direction = forward,backward,step
scaling   = strong
[cells weak]
case      = network:lenet5-batch batch=N
ranks     = 1,2
sizes     = 280KiB
direction = step
scaling   = weak
"""
TRAIN, TEST, BATCH, SIDE = 200, 30, 20, 6
STEPS = TRAIN // BATCH
NETWORK = """# one layer
flatten shape=Nx1x6x6 from=Px1x1x1 to=Px1
affine batch=N features=36:3 grid=1xP
cross_entropy shape=Nx3
"""


def idx(extents, entries):
    return struct.pack(">BBBB", 0, 0, 8, len(extents)) + struct.pack(f">{len(extents)}I", *extents) + bytes(entries)


def make_data(folder):
    folder.mkdir()
    source = random.Random(3)
    for prefix, count in (("train", TRAIN), ("t10k", TEST)):
        labels = [source.randrange(3) for _ in range(count)]
        pixels = [source.randrange(100) + (150 if row // 2 == label else 0)
                  for label in labels for row in range(SIDE) for _ in range(SIDE)]
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(idx([count, SIDE, SIDE], pixels))
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(idx([count], labels))


class Train(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tensorgauge train "))
        self.addCleanup(shutil.rmtree, self.folder)
        make_data(self.folder / "data")
        (self.folder / "small.txt").write_text(NETWORK)

    def words(self, *words):
        return [PROGRAM, "train", *map(str, words)]

    def run_it(self, *words):
        return subprocess.run(self.words(*words), cwd=self.folder, capture_output=True, text=True, timeout=200, check=False)

    def train(self, output, *words):
        done = self.run_it("small.txt", "--data", "data", "--batch", BATCH, "--output", output, *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        return next((self.folder / output).iterdir()), done

    def rows(self, run, name="training"):
        with open(run / f"{name}.csv", newline="", encoding="ascii") as file:
            return list(csv.DictReader(file, strict=True))

    def losses(self, run):
        rows = [row for row in self.rows(run) if row["loss"]]
        self.assertEqual([int(row["step"]) for row in rows], list(range(1, len(rows) + 1)))
        return [float(row["loss"]) for row in rows]

    def check_figures(self, run):
        rows = self.rows(run)
        for name in ("training_loss", "training_accuracy"):
            for ending in ("pdf", "svg", "png", "csv", "gp", "txt"):
                self.assertGreater((run / "figures" / f"{name}.{ending}").stat().st_size, 0, f"{name}.{ending}")
        drawn = self.rows(run / "figures", "training_loss")
        steps = [(row["step"], float(row["loss"])) for row in rows if row["loss"]]
        self.assertEqual([(row["step"], float(row["loss"])) for row in drawn if row["series"] == "1"], steps)
        means = [float(row["loss"]) for row in drawn if row["series"] == "2"]
        expected = [sum(v for _, v in steps[i:i + STEPS]) / STEPS for i in range(0, len(steps), STEPS)]
        self.assertEqual(len(means), len(expected))
        for mean, value in zip(means, expected):
            self.assertAlmostEqual(mean, value, 6)
        drawn = [float(row["test_accuracy_percent"]) for row in self.rows(run / "figures", "training_accuracy")]
        expected = [100 * float(row["test_accuracy"]) for row in rows if row["test_accuracy"]]
        self.assertEqual(len(drawn), len(expected))
        for value, right in zip(drawn, expected):
            self.assertAlmostEqual(value, right, 4)

    def test_run_folder(self):
        run, done = self.train("whole", "--ranks", 2, "--epochs", 3, "--optimizer", "adam", "--rate", "0.02")
        self.assertIn("epoch 3/3  loss", done.stderr)
        self.assertIn("images/s", done.stderr)
        self.assertIn("s left", done.stderr)
        self.assertIn(f"run folder: whole/{run.name}", done.stdout)
        self.assertEqual(len(self.losses(run)), 3 * STEPS)
        self.assertGreater(float(self.rows(run)[-1]["test_accuracy"]), 0.9)
        record = json.loads((run / "run.json").read_text())
        self.assertEqual(problems(record, SCHEMA), [])
        self.assertEqual(record["training"]["settings"]["optimizer"], "adam")
        self.assertEqual(record["launches"][0]["ranks"], 2)
        self.assertIn("parameters", (run / "log.txt").read_text())
        self.check_figures(run)

    def test_goes_on_at_other_ranks(self):
        whole, _ = self.train("whole", "--ranks", 1, "--epochs", 4)
        run, _ = self.train("parts", "--ranks", 2, "--epochs", 2)
        before = self.losses(run)
        done = self.run_it("--resume", f"parts/{run.name}", "--ranks", 3, "--epochs", 4)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.losses(run)[:len(before)], before)
        self.assertEqual(len(self.losses(run)), 4 * STEPS)
        for a, b in zip(self.losses(run), self.losses(whole)):
            self.assertAlmostEqual(a, b, 4)
        record = json.loads((run / "run.json").read_text())
        self.assertEqual(problems(record, SCHEMA), [])
        self.assertEqual([launch["ranks"] for launch in record["launches"]], [2, 3])
        self.assertEqual(len(record["resumed"]), 1)
        self.check_figures(run)

    def test_stopped_and_resumed(self):
        epochs = 20000  # more than can be made before the signal
        process = subprocess.Popen(self.words("small.txt", "--data", "data", "--batch", BATCH, "--output", "stopped", "--ranks", 2,
                                              "--epochs", epochs), cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        for _ in range(600):
            checkpoints = list(self.folder.glob("stopped/*/checkpoint"))
            if checkpoints or process.poll() is not None:
                break
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(60), 3)
        run = checkpoints[0].parent
        done = len(self.losses(run))
        self.assertEqual(json.loads((run / "run.json").read_text())["stopped_by_signal"], signal.SIGTERM)
        again = self.run_it("--resume", f"stopped/{run.name}", "--epochs", done // STEPS + 2)
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertEqual(len(self.losses(run)), (done // STEPS + 2) * STEPS)

    def check_wrong(self, names, *words):
        done = self.run_it(*words)
        self.assertEqual(done.returncode, 2, f"{words}: {done.stderr}")
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertTrue(done.stderr.startswith("tensorgauge: "), done.stderr)
        for name in names:
            self.assertIn(name, done.stderr)

    def test_wrong_words_and_files(self):
        good = ["small.txt", "--data", "data", "--batch", BATCH, "--output", "wrong"]
        for names, words in ((["network"], []), (["telepathy"], ["telepathy", *good[1:]]), (["--bogus"], [*good, "--bogus"]),
                             (["--ranks"], [*good, "--ranks", "two"]), (["--ranks"], [*good, "--ranks"]),
                             (["--rate", "fast"], [*good, "--rate", "fast"]), (["--optimizer", "sgd"], [*good, "--optimizer", "x"]),
                             (["nowhere"], [*good[:2], "nowhere", *good[3:]]), (["one NETWORK"], ["small.txt", *good]),
                             (["--resume", "run.json"], ["--resume", "data"])):
            self.check_wrong(names, *words)
        self.assertFalse(list((self.folder / "wrong").glob("*")), "a refused training leaves no folder")

    def test_wrong_checkpoint(self):
        run, _ = self.train("runs", "--epochs", 1)
        kept = {path: path.read_bytes() for path in (run / "checkpoint", run / "training.csv", run / "run.json")}
        data = kept[run / "checkpoint"]
        for bad in (data[:-20], b"", data[:200] + bytes([data[200] ^ 1]) + data[201:]):
            (run / "checkpoint").write_bytes(bad)
            self.check_wrong(["checkpoint"], "--resume", f"runs/{run.name}", "--epochs", 2)
        (run / "checkpoint").write_bytes(data)
        self.check_wrong(["--batch"], "--resume", f"runs/{run.name}", "--batch", 10)
        for path, content in kept.items():
            self.assertEqual(path.read_bytes(), content, f"{path.name} was changed")


class Campaigns(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tensorgauge train "))
        self.addCleanup(shutil.rmtree, self.folder)

    def run_it(self, *words):
        return subprocess.run([PROGRAM, *words], cwd=self.folder, capture_output=True, text=True, timeout=200, check=False)

    def test_small_run(self):
        (self.folder / "small.ini").write_text(CAMPAIGN)
        done = self.run_it("run", "small.ini")
        self.assertEqual(done.returncode, 0, done.stderr)
        run = next((self.folder / "results").iterdir())
        with open(run / "cells.csv", newline="", encoding="ascii") as file:
            cells = {(row["op"], row["direction"], row["ranks"], row["scaling"]) for row in csv.DictReader(file) if row["status"] == "ok"}
        network, convolution = "network:lenet5-batch", "convolution"
        expected = {(network, direction, ranks, "strong") for direction in ("forward", "backward", "step") for ranks in "12"}
        expected |= {(convolution, direction, ranks, "strong") for direction in ("forward", "backward") for ranks in "12"}
        self.assertEqual(cells, expected | {(network, "step", ranks, "weak") for ranks in "12"})
        self.check_resumed(run)
        self.assertEqual(self.run_it("plot", str(run)).returncode, 0)
        checked = subprocess.run([sys.executable, CHECK_FIGURES, str(run), "--least", "6"], capture_output=True, text=True, timeout=100,
                                 check=False)
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)
        names = {path.stem for path in (run / "figures").glob("*.pdf")}
        for name in ("layer_time", "layer_speedup", "layer_efficiency", "weak"):
            self.assertIn(f"{name}_network-lenet5-batch", names)
        for name in ("phases_convolution_backward", "phases_network-lenet5-batch_step", "phases_weak_network-lenet5-batch_step"):
            self.assertIn(name, names)

    def check_resumed(self, run):
        """A run whose last row is gone measures that cell again: each cell has its five phases, once."""
        cells, phases = run / "cells.csv", run / "phases.csv"
        before = sorted(line.rsplit(",", 3)[0] for line in phases.read_text().splitlines())
        cells.write_text("".join(cells.read_text().splitlines(keepends=True)[:-1]))
        phases.write_text(phases.read_text() + "torn,0")
        done = self.run_it("run", "--resume", str(run))
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(phases, newline="", encoding="ascii") as file:
            lines = list(csv.DictReader(file, strict=True))
        self.assertEqual(sorted(",".join([line["run_id"], line["launch"], line["cell"], line["phase"]]) for line in lines),
                         sorted(line for line in before if not line.startswith("run_id")))
        self.assertEqual(len(lines), 5 * (len(cells.read_text().splitlines()) - 1))

    def test_campaigns(self):
        for name in ("layers-strong", "layers-weak", "train"):
            done = self.run_it("run", str(CAMPAIGNS / f"{name}.ini"), "--dry-run")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(" 4 " + ("weak" if name == "layers-weak" else "strong"), done.stdout)

    def test_other_ranks(self):
        """Every campaign can be run on other ranks; what cannot be there is left out, and said."""
        for path in sorted(CAMPAIGNS.glob("*.ini")):
            for ranks in ("1,2", "3", "8"):
                done = self.run_it("run", str(path), "--dry-run", "--ranks", ranks)
                self.assertEqual(done.returncode, 0, f"{path.name} on {ranks}: {done.stderr}")
                for line in done.stderr.splitlines():
                    self.assertRegex(line, rf"^tensorgauge: left out on [1238] ranks?: {path.name} line [0-9]+: ")
        done = self.run_it("run", str(CAMPAIGNS / "quick.ini"), "--dry-run", "--ranks", "1,2")
        self.assertEqual(done.stderr, "".join(f"tensorgauge: left out on 1 rank: quick.ini line {line}: to-ranks=1: rank 1 does "
                                              "not exist; expected ranks below 1\n" for line in (38, 89)))
        (self.folder / "two.ini").write_text("[campaign]\n[cells a]\ncase = send_recv shape=8 from-ranks=0 to-ranks=1\nranks = 2\n")
        done = self.run_it("run", "two.ini", "--ranks", "1")
        self.assertEqual((done.returncode, done.stderr), (2, "tensorgauge: two.ini line 3: to-ranks=1: rank 1 does not exist; "
                                                          "expected ranks below 1\n"))


unittest.main()
