#!/usr/bin/env python3
"""test_smoke.py TENSORGAUGE: campaign smoke from end to end with the tgbench and the MPI launcher of this build, in a
folder whose name holds blanks; wrong words, which tgbench finds, before anything is written; a run that is stopped."""
import csv
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from collections import Counter

PROGRAM = str(pathlib.Path(sys.argv.pop(1)).resolve())
TGBENCH = str(pathlib.Path(PROGRAM).parent / "tgbench")

LONG = """[campaign]
budget = 300s
[cells a]
case   = broadcast shape=N from=1 to=Pc
ranks  = 2
sizes  = 1KiB:64MiB:x2
[cells b]
case   = all_sum_reduce shape=N grid=Pc
ranks  = 1,2
sizes  = 32MiB,64MiB
"""


def tgbenches():
    """Processes that run this tgbench."""
    found = []
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(folder / "exe") == TGBENCH:
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            pass
    return found


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tensorgauge smoke "))
        self.addCleanup(shutil.rmtree, self.folder)
        self.output = self.folder / "some results"

    def words(self, *words):
        return [PROGRAM, "run", *words, "--output", str(self.output)]

    def run_it(self, *words):
        names = ("OMPI_MCA_rmaps_base_oversubscribe", "PRTE_MCA_rmaps_default_mapping_policy")  # a test's own words decide
        return subprocess.run(self.words(*words), cwd=self.folder, capture_output=True, text=True, timeout=200,
                              env={name: value for name, value in os.environ.items() if name not in names})

    def rows(self, name):
        with open(next(self.output.iterdir()) / name, newline="", encoding="ascii") as file:
            return list(csv.DictReader(file, strict=True))


class Smoke(Case):
    def test_smoke(self):
        done = self.run_it("smoke")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        cells = self.rows("cells.csv")
        want = Counter()
        for op in ("broadcast", "sum_reduce", "all_sum_reduce", "repartition", "halo"):
            want.update((op, direction, ranks) for direction in ("forward", "adjoint") for ranks in ("1", "2"))
        want.update(("affine", direction, ranks) for direction in ("forward", "backward") for ranks in ("1", "2"))
        want.update(("send_recv", direction, "2") for direction in ("forward", "adjoint"))
        want.update((op, "forward", "2") for op in ("raw:MPI_Bcast", "raw:MPI_Allreduce", "raw:memcpy"))
        self.assertEqual(Counter((r["op"], r["direction"], r["ranks"]) for r in cells), want)
        self.assertEqual(len({(r["case"], r["direction"], r["ranks"]) for r in cells}), len(cells))
        self.assertEqual({(r["status"], r["wrong"]) for r in cells}, {("ok", "0")})
        self.assertEqual({r["run_id"] for r in cells}, {next(self.output.iterdir()).name})
        samples = Counter(r["cell"] for r in self.rows("samples.csv"))
        self.assertEqual(samples, Counter({r["cell"]: int(r["samples"]) for r in cells}))
        summary = {(r["case"], r["direction"], r["ranks"]): r for r in self.rows("summary.csv")}
        self.assertEqual(len(summary), len(cells))
        for row in cells:
            one = summary[row["case"], row["direction"], row["ranks"]]
            self.assertEqual((one["median_us"], one["launches"], one["status"]), (row["t_median_us"], "1", "ok"))
        self.check_bounds(cells, summary)
        record = json.loads((next(self.output.iterdir()) / "run.json").read_text())
        self.assertEqual([launch["exit_status"] for launch in record["launches"]], [0, 0])
        for launch in record["launches"]:
            alone = launch["ranks"] <= record["machine"]["cores"]
            said = [v for v in launch["environment"] if v.startswith("OMPI_MCA_mpi_yield_when_idle=")]
            if "OMPI_MCA_mpi_yield_when_idle" not in os.environ and record["tgbench"]["build"]["mpi_family"] == "openmpi":
                self.assertEqual(said, [f"OMPI_MCA_mpi_yield_when_idle={0 if alone else 1}"])

    def check_bounds(self, cells, summary):
        """The run has measured what the machine can do, at its own rank counts, and made bounds of it."""
        measured = self.rows("calibration.csv")
        self.assertEqual(list(measured[0]), list(cells[0]))
        self.assertEqual({(r["status"], r["wrong"], r["scaling"]) for r in measured}, {("ok", "0", "size")})
        kinds = Counter((r["op"], r["ranks"]) for r in measured)
        memory, messages = ("copy", "gemm"), ("one_way", "both_ways", "stream")
        self.assertEqual(set(kinds), {("machine:" + op, p) for op in memory for p in "12"} |
                         {("machine:" + op, "2") for op in messages})
        self.assertEqual(len({(r["case"], r["ranks"]) for r in measured}), len(measured))
        self.assertEqual(list(next(self.output.iterdir()).glob("calibration.*")),
                         [next(self.output.iterdir()) / "calibration.csv"])
        for r in cells:
            bound, time_us = float(r["bound_us"]), float(r["t_median_us"])
            self.assertGreater(bound, 0)
            self.assertIn(r["bound_kind"], ("latency", "link", "memory", "compute") if r["ranks"] == "2" and
                          r["op"] != "raw:memcpy" else ("memory", "compute"), r["case"])
            self.assertAlmostEqual(float(r["bound_fraction"]) * time_us / bound, 1)
            self.assertEqual("above_bound" in r["flags"].split(), float(r["bound_fraction"]) > 1.05, r["flags"])
            one = summary[r["case"], r["direction"], r["ranks"]]
            self.assertEqual((one["bound_us"], one["bound_fraction"]), (r["bound_us"], r["bound_fraction"]))

    def test_failed_calibration(self):
        """A rank count whose calibration fails has the bounds that fewer ranks tell, here those of one; the run goes on."""
        build = json.loads(subprocess.run([TGBENCH, "list", "--json"], capture_output=True, check=True).stdout)["build"]
        launcher = self.folder / "launcher"
        launcher.write_text('#!/bin/sh\ncase "$*" in *"-n 2 "*calibration.tsv*) echo failed; exit 1;; esac\n'
                            'export OMPI_MCA_rmaps_base_oversubscribe=1 PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe\n'
                            f'exec {build["mpiexec"]} "$@"\n')
        launcher.chmod(0o755)
        done = self.run_it("smoke", "--launcher", "./launcher", "--budget", "3s")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual({r["ranks"] for r in self.rows("calibration.csv")}, {"1"})
        cells = self.rows("cells.csv")
        self.assertEqual({r["bound_us"] != "" for r in cells if r["ranks"] == "1"}, {True})
        self.assertNotIn("latency", {r["bound_kind"] for r in cells if r["ranks"] == "2"})  # of messages nothing is known
        self.assertIn("calibration on 2 ranks: 0 rows, exit status 1", (next(self.output.iterdir()) / "log.txt").read_text())

    def test_launchers(self):
        """Too few slots, and the launcher of another library: one line, and nothing is written. MPICH's launcher knows no slots."""
        build = json.loads(subprocess.run([TGBENCH, "list", "--json"], capture_output=True, check=True).stdout)["build"]
        campaign = self.folder / "c.ini"
        campaign.write_text("[campaign]\nbudget = 1s\ncalibrate = no\n[cells a]\ncase = broadcast shape=8 from=1 to=Pc\nranks = 1,3\n")
        mpich = build["mpi_family"] == "mpich"
        (self.folder / "hosts").write_text("localhost:1\n" if mpich else "localhost slots=1\n")
        words = [str(campaign), "--launcher", f"{build['mpiexec']} {'-f' if mpich else '--hostfile'} hosts"]
        faults = [] if mpich else [(words, "has not enough slots for 3 ranks; expected fewer ranks, more slots (HOST slots=N ")]
        other = shutil.which("mpiexec.openmpi" if mpich else "mpiexec.mpich")
        if other:
            faults.append(([str(campaign), "--launcher", other, "--ranks", "2"], f"expected the launcher of this MPI library, {build['mpiexec']}"))
        for wrong, part in faults:
            done = self.run_it(*wrong)
            self.assertEqual((done.returncode, done.stdout, len(done.stderr.splitlines())), (2, "", 1), done.stderr)
            self.assertIn(part, done.stderr)
            self.assertFalse(self.output.exists())
        done = self.run_it(*words, "--oversubscribe")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual({(r["ranks"], r["status"]) for r in self.rows("cells.csv")}, {("1", "ok"), ("3", "ok")})

    def test_no_calibration(self):
        campaign = self.folder / "c.ini"
        words = "[campaign]\nbudget = 1s\ncalibrate = no\n[cells a]\ncase = broadcast shape=8 from=1 to=Pc\nranks = 2\n"
        campaign.write_text(words)
        self.assertEqual(self.run_it(str(campaign)).returncode, 0)
        self.assertFalse((next(self.output.iterdir()) / "calibration.csv").exists())
        self.assertEqual({r["bound_us"] for r in self.rows("cells.csv")}, {""})
        campaign.write_text(words.replace("= no", "= maybe"))
        done = self.run_it(str(campaign))
        self.assertEqual((done.returncode, len(done.stderr.splitlines())), (2, 1))
        self.assertIn("'maybe': expected yes or no", done.stderr)

    def test_wrong_words(self):
        campaign = self.folder / "c.ini"
        good = "[cells a]\ncase = broadcast shape=8 from=1 to=Pc\nranks = 1,2\n"
        for text, *parts in (
            (good.replace("broadcast", "broadcst"), "c.ini line 2", "'broadcst'"),
            (good.replace("shape=8", "shape=0x"), "c.ini line 2", "0x"),
            (good.replace("shape=8", "shap=8"), "c.ini line 2", "shap"),
            (good.replace("from=1", "from=Pc"), "c.ini line 2"),
            (good.replace("to=Pc", "to=3c"), "c.ini line 2"),
            (good.replace("shape=8", "shape=N"), "c.ini line 2", "size"),
            (good + "dtype = f33\n", "f33"),
            (good + "algorithm = magic\n", "magic"),
        ):
            with self.subTest(text=text):
                campaign.write_text(text)
                done = self.run_it(str(campaign))
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertEqual((done.stdout, len(done.stderr.splitlines())), ("", 1), done.stderr)
                self.assertTrue(done.stderr.startswith("tensorgauge: "), done.stderr)
                for part in parts:
                    self.assertIn(part, done.stderr)
                self.assertFalse(self.output.exists())

    def test_stopped(self):
        campaign = self.folder / "long.ini"
        campaign.write_text(LONG)
        child = subprocess.Popen(self.words(str(campaign)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        until = time.monotonic() + 60
        while time.monotonic() < until and child.poll() is None and not list(self.output.glob("*/cells.csv")):
            time.sleep(0.05)
        child.send_signal(signal.SIGTERM)
        output, errors = child.communicate(timeout=60)
        self.assertEqual(child.returncode, 3, errors)
        self.assertIn("run folder: ", output)
        until = time.monotonic() + 20
        while time.monotonic() < until and [words for words in tgbenches() if str(self.folder) in words]:
            time.sleep(0.1)
        self.assertEqual([words for words in tgbenches() if str(self.folder) in words], [])
        for row in self.rows("cells.csv"):
            self.assertEqual(row["status"], "ok")


if __name__ == "__main__":
    unittest.main()
