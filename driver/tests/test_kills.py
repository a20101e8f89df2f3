#!/usr/bin/env python3
"""test_kills.py TENSORGAUGE [SEED]: real runs that are killed at random moments: the driver, the launcher or one rank,
by SIGTERM or SIGKILL. Rows stay whole, nothing goes on in the background, and --resume completes the run. Also a rank
that dies, one that hangs, a full disk and a locale with a decimal comma. Nothing here depends on how long it takes."""
import csv
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

SEED = int(sys.argv.pop(2)) if len(sys.argv) > 2 and sys.argv[2].isdigit() else random.randrange(1 << 30)
PROGRAM = str(pathlib.Path(sys.argv.pop(1)).resolve())
TGBENCH = str(pathlib.Path(PROGRAM).parent / "tgbench")
KILLS = 20 if os.environ.get("TENSORGAUGE_TEST_ALL") else 6  # of six kinds

SHORT = """[campaign]
budget   = 700ms
calibrate = no
ci       = 0.001%      ; so that a cell takes its share of the budget
max-reps = 3000
[cells a]
case   = broadcast shape=N from=1 to=Pc
case   = repartition shape=NxN from=Px1 to=1xP
ranks  = 1,2
sizes  = 1KiB,256KiB
"""
LONG = """[campaign]
budget   = 4s
calibrate = no
order    = given
ci       = 0.001%      ; so that a cell takes its share of the budget
max-reps = 1000000
[cells a]
case      = broadcast shape=N from=1 to=Pc
ranks     = 1,2
sizes     = 8B,1MiB,16B
direction = forward
"""


def processes(folder):
    """pid -> command line of the processes that run this tgbench for a run in this folder."""
    found = {}
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if str(folder) in words and os.readlink(entry / "exe") == TGBENCH:
                found[int(entry.name)] = words
        except OSError:
            pass
    return found


def child_of(pid):
    try:
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(children[0]) if children else None
    except OSError:
        return None


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tensorgauge kills "))
        self.addCleanup(shutil.rmtree, self.folder)
        self.output = self.folder / "some results"
        self.campaign = self.folder / "my campaign.ini"
        # The launch is the longer part of such a run; without a look for networks it takes half as long.
        self.environment = {"OMPI_MCA_pml": "ob1", "OMPI_MCA_btl": "self,vader", **os.environ}

    def words(self, *words):
        return [PROGRAM, "run", str(self.campaign), "--output", str(self.output), *words]

    def run_it(self, *words, **environment):
        return subprocess.run(self.words(*words), cwd=self.folder, env={**self.environment, **environment},
                              capture_output=True, text=True, timeout=200)

    def start(self, *words):
        with open(self.folder / "said", "w") as said:
            return subprocess.Popen(self.words(*words), cwd=self.folder, env=self.environment, text=True,
                                    stdout=subprocess.DEVNULL, stderr=said)

    def resume(self, run):
        return subprocess.run([PROGRAM, "run", "--resume", str(run)], env=self.environment, capture_output=True, text=True,
                              timeout=200)

    def wait_for(self, what):
        until = time.monotonic() + 100
        while time.monotonic() < until:
            value = what()
            if value:
                return value
            time.sleep(0.02)
        said = self.folder / "said"
        self.fail(f"nothing came; processes {processes(self.folder)}; {said.read_text() if said.exists() else ''}")

    def run_folder(self):
        runs = sorted(self.output.iterdir()) if self.output.exists() else []
        return runs[0] if runs else None

    def rows(self, path, may_be_torn=False):
        """The rows of a table, all of them whole."""
        text = path.read_text(encoding="ascii") if path.exists() else ""
        if may_be_torn:
            text = text[:text.rfind("\n") + 1]
        self.assertTrue(text == "" or text.endswith("\n"), path)
        rows = list(csv.DictReader(text.splitlines(), strict=True))
        for row in rows:
            self.assertNotIn(None, row)
            self.assertNotIn(None, row.values())
        return rows

    def expect_nothing_left(self):
        self.wait_for(lambda: not processes(self.folder))

    def keys(self, run):
        return sorted((r["case"], r["direction"], r["ranks"]) for r in self.rows(run / "cells.csv"))

    def expect_complete(self, run, keys):
        cells = self.rows(run / "cells.csv")
        self.assertEqual(self.keys(run), keys)
        self.assertEqual({r["status"] for r in cells}, {"ok"})
        self.assertEqual({r["run_id"] for r in cells}, {run.name})
        counts = {}
        for sample in self.rows(run / "samples.csv"):
            counts[sample["cell"]] = counts.get(sample["cell"], 0) + 1
        self.assertEqual(counts, {r["cell"]: int(r["samples"]) for r in cells})
        self.assertEqual(len(self.rows(run / "summary.csv")), len(keys))
        self.assertEqual(json.loads((run / "run.json").read_text())["cells_done"], len(keys))
        self.assertEqual([path.name for path in run.glob("*.new")], [])


class Kills(Case):
    def target_of(self, driver, what):
        """The process to be killed, or None while there is none."""
        if what == "driver":
            return driver.pid
        if what == "launcher":
            return child_of(driver.pid)
        ranks = list(processes(self.folder))
        return random.choice(ranks) if ranks else None

    def kill_one(self, what, number, delay_s):
        """Returns whether something was killed before the run was over."""
        with self.start() as driver:
            time.sleep(delay_s)
            target = self.target_of(driver, what)
            while driver.poll() is None and target is None:
                time.sleep(0.02)
                target = self.target_of(driver, what)
            killed = driver.poll() is None
            try:
                os.kill(target or driver.pid, number)
            except ProcessLookupError:
                killed = False
            driver.wait(timeout=100)
        return killed

    def test_kills(self):
        print(f"seed {SEED}", flush=True)
        random.seed(SEED)
        self.campaign.write_text(SHORT)
        begin = time.monotonic()
        self.assertEqual(self.run_it().returncode, 0)
        whole_s = time.monotonic() - begin
        keys = self.keys(self.run_folder())
        self.assertEqual(len(keys), 16)
        shutil.rmtree(self.output)
        plan = [(what, number) for what in ("driver", "launcher", "rank") for number in (signal.SIGTERM, signal.SIGKILL)]
        kills = resumed = kept = 0
        for attempt in range(3 * KILLS):
            what, number = plan[kills % len(plan)]
            delay_s = random.uniform(0, whole_s)
            killed = self.kill_one(what, number, delay_s)
            kills += killed
            self.expect_nothing_left()
            run = self.run_folder()
            with self.subTest(attempt=attempt, what=what, number=number, delay_s=delay_s):
                if run and (run / "run.json").exists():
                    kept += len(self.rows(run / "cells.csv"))
                    self.rows(run / "samples.csv", may_be_torn=True)
                    done = self.resume(run)
                    self.assertEqual(done.returncode, 0, done.stderr)
                    self.expect_complete(run, keys)
                    resumed += "nothing to do" not in done.stdout
                elif run:
                    self.assertFalse((run / "cells.csv").exists())
            if run:
                shutil.rmtree(self.output)
            if kills == KILLS:
                break
        print(f"{kills} kills in {attempt + 1} runs, {resumed} resumed, {kept} rows kept", flush=True)
        self.assertEqual(kills, KILLS)
        self.assertGreater(resumed, 0)


class Launches(Case):
    def in_large_cell(self):
        """Its ranks, once a launch of two is in its second cell, which is large."""
        log = self.run_folder() and self.run_folder() / "log.txt"
        text = log.read_text() if log and log.exists() else ""
        ranks = processes(self.folder)
        return sorted(ranks) if re.search(r"(?m)^begin 5 ", text) and len(ranks) == 2 else None

    def strike(self, number, *words):
        """Sends a rank the signal in the large cell. Returns the driver. A busy machine may run through that cell unseen: once more then."""
        for _ in range(10):
            driver = self.start(*words)
            ranks = self.wait_for(lambda: self.in_large_cell() or driver.poll() is not None)
            if driver.poll() is None:
                os.kill(ranks[-1], number)
                return driver
            self.assertEqual(driver.returncode, 0, (self.folder / "said").read_text())
            shutil.rmtree(self.output)
        self.fail("ten runs ended, and the large cell was never seen")

    def expect_ended(self, driver):
        """The cell in flight is killed and the one behind it has no row; both are measured later. The signal may come when that
        cell has just ended, and a launcher wakes a stopped rank before it ends it: then one or two more cells are there.
        Exit status 0 says that all are."""
        driver.wait(timeout=150)
        self.expect_nothing_left()
        run = self.run_folder()
        said = (self.folder / "said").read_text()
        cells = [(r["cell"], r["status"]) for r in self.rows(run / "cells.csv")]
        self.assertEqual(cells[:4], [("1", "ok"), ("2", "ok"), ("3", "ok"), ("4", "ok")])
        self.assertIn([status for _, status in cells[4:]], [["killed"], ["ok"], ["ok", "killed"], ["ok", "ok"], []], said)
        self.assertEqual(driver.returncode, 0 if [status for _, status in cells] == ["ok"] * 6 else 1, said)
        self.assertEqual({r["cell"] for r in self.rows(run / "samples.csv")}, {c for c, status in cells if status == "ok"})
        self.assertEqual(self.resume(run).returncode, 0)
        self.assertEqual(len(self.keys(run)), 6)
        self.expect_complete(run, self.keys(run))
        return said

    def test_dead_rank(self):
        self.campaign.write_text(LONG)
        with self.strike(signal.SIGKILL) as driver:
            said = self.expect_ended(driver)
            self.assertTrue("ended with status" in said or driver.returncode == 0, said)

    def test_hung_rank(self):
        self.campaign.write_text(LONG)
        with self.strike(signal.SIGSTOP, "--stall-timeout", "8s") as driver:
            self.assertIn("hung and was ended", self.expect_ended(driver))

    def test_full_disk(self):
        disk = self.folder / "small disk"
        disk.mkdir()
        if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160k", "none", disk],
                                               capture_output=True).returncode != 0:
            self.skipTest("only root can mount a small disk")
        self.addCleanup(subprocess.run, ["umount", disk], check=True)
        self.output = disk / "results"
        self.campaign.write_text(SHORT.replace("max-reps = 3000", "min-reps = 300\nmax-reps = 300"))
        done = self.run_it()
        run = self.run_folder()
        self.assertEqual(done.returncode, 3, done.stderr)
        lines = [line for line in done.stderr.splitlines() if line.startswith("tensorgauge: ")]
        self.assertEqual(len(lines), 1, done.stderr)
        self.assertIn("No space left on device", lines[0])
        measured = len(self.rows(run / "cells.csv"))
        self.assertGreater(measured, 0)
        self.assertLess(measured, 16)
        self.rows(run / "samples.csv")
        json.loads((run / "run.json").read_text())
        subprocess.run(["mount", "-o", "remount,size=16m", disk], check=True)
        done = self.resume(run)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(self.keys(run)), 16)
        self.expect_complete(run, self.keys(run))

    def test_comma(self):
        """A decimal comma in the locale, and a secret in the environment, are nowhere in a run."""
        folder = self.folder / "locales"
        folder.mkdir()
        made = subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", str(folder / "de_DE.UTF-8")], capture_output=True)
        if made.returncode != 0:
            self.skipTest("localedef cannot make de_DE.UTF-8; package locales has its source")
        self.campaign.write_text(SHORT)
        done = self.run_it(LOCPATH=str(folder), LANG="de_DE.UTF-8", LC_ALL="de_DE.UTF-8", SECRET_TOKEN="0d8f1a7c")
        self.assertEqual(done.returncode, 0, done.stderr)
        numbers = 0
        for name in ("cells.csv", "samples.csv", "summary.csv"):
            for row in self.rows(self.run_folder() / name):
                for column, text in row.items():
                    if column.endswith(("_us", "_GBps", "_ns", "_MB", "_cv")) and text:
                        self.assertRegex(text, r"^-?\d+(\.\d+)?(e[+-]\d+)?$", column)
                        numbers += "." in text
        self.assertGreater(numbers, 16)
        for path in self.run_folder().rglob("*"):
            if path.is_file():
                self.assertNotIn(b"0d8f1a7c", path.read_bytes(), path)


if __name__ == "__main__":
    unittest.main()
