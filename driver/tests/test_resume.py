#!/usr/bin/env python3
"""test_resume.py TENSORGAUGE: a run that ended early goes on with --resume, with a stand-in for tgbench (fake_tgbench):
what is kept, dropped and measured, what is refused, two at once, another locale."""
import csv
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import unittest

PROGRAM = str(pathlib.Path(sys.argv[1]).resolve())
import test_run  # noqa: E402  (takes the program's path from the words)

CELLS = 14


class Case(test_run.Case):
    def resume(self, *words, folder=None, **environment):
        return subprocess.run([PROGRAM, "run", "--resume", str(folder or self.runs()[0]), *words], cwd=self.folder,
                              env={**self.environment, **environment}, capture_output=True, text=True, timeout=60)

    def record(self):
        return json.loads((self.runs()[0] / "run.json").read_text())

    def keys(self):
        return sorted((r["case"], r["direction"], r["ranks"], r["launch"]) for r in self.rows("cells.csv"))

    def whole(self):
        """The keys of a run that was not interrupted."""
        done = subprocess.run([*self.words(), "--output", str(self.folder / "whole")], env=self.environment,
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(next((self.folder / "whole").iterdir()) / "cells.csv", newline="") as file:
            return sorted((r["case"], r["direction"], r["ranks"], r["launch"]) for r in csv.DictReader(file))

    def expect_whole(self):
        cells = self.rows("cells.csv")
        self.assertEqual(self.keys(), self.whole())
        self.assertEqual({r["status"] for r in cells}, {"ok"})
        self.assertEqual(sorted(int(r["cell"]) for r in cells), list(range(1, len(cells) + 1)))
        samples = [(r["cell"], r["repetition"]) for r in self.rows("samples.csv")]
        self.assertEqual(len(samples), len(set(samples)))
        self.assertEqual({cell for cell, _ in samples}, {r["cell"] for r in cells})
        self.assertEqual(len(self.rows("summary.csv")), CELLS)
        self.assertEqual(self.record()["cells_done"], len(cells))
        self.assertEqual([path.name for path in self.runs()[0].iterdir() if path.suffix == ".new" or path.name == "to-do.tsv"],
                         [])


class Goes(Case):
    def test_after_death(self):
        self.assertEqual(self.run_it(FAKE_MODE="die").returncode, 1)
        before = {r["cell"]: r for r in self.rows("cells.csv") if r["status"] == "ok"}
        launches = len(self.record()["launches"])
        self.log.unlink()
        done = self.resume()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("14 of 14 cells measured", done.stdout)
        self.assertEqual([(c["ranks"], c["cells"]) for c in self.logged()], [(2, 5)])  # only what was missing
        record = self.record()
        self.assertEqual(len(record["launches"]), launches + 1)
        self.assertEqual([(r["cells"], r["lines_dropped"]) for r in record["resumed"]], [(5, 1)])  # the row `killed`
        after = {r["cell"]: r for r in self.rows("cells.csv")}
        self.assertEqual({cell: after[cell] for cell in before}, before)
        self.expect_whole()

    def test_turns(self):
        """Of cells that take turns only some have a row: all of them are measured again, together."""
        self.campaign.write_text(test_run.CAMPAIGN.replace("[cells two]", "turns = yes\n[cells two]"))
        for seed in map(str, range(1, 20)):  # with one of them a pair is the first of two ranks
            self.assertEqual(self.run_it("--seed", seed, FAKE_MODE="die").returncode, 1)
            turns = next(c["turns"] for c in self.logged() if c["ranks"] == 2)
            if turns[0] == turns[1]:
                break
            shutil.rmtree(self.output)
            self.log.unlink()
        order = next(c["order"] for c in self.logged() if c["ranks"] == 2)
        status = {int(r["cell"]): r["status"] for r in self.rows("cells.csv")}
        self.assertEqual([status.get(cell) for cell in order[:3]], ["ok", "killed", None])
        self.log.unlink()
        self.assertEqual(self.resume().returncode, 0)
        call, = self.logged()
        self.assertEqual((call["ranks"], call["order"]), (2, order))
        self.expect_whole()

    def test_soak(self):
        """A soak adds launches until it is stopped; a run that was stopped then measures what it lacks, and adds none."""
        with subprocess.Popen(self.words("--soak", "1h"), env=self.environment, cwd=self.folder, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True) as run:
            end = time.monotonic() + 50
            while time.monotonic() < end and not (self.runs() and (self.runs()[0] / "cells.csv").exists() and
                                                  any(r["launch"] == "2" for r in self.rows("cells.csv"))):
                time.sleep(0.05)
            run.send_signal(signal.SIGTERM)
            said = run.communicate(timeout=30)[1]
        self.assertIn(run.returncode, (0, 3), said)  # 0: the signal came between two launches
        launches = self.record()["cells_planned"] // CELLS
        self.assertGreaterEqual(launches, 3)
        self.assertEqual(len((self.runs()[0] / "plan.tsv").read_text().splitlines()), 1 + launches * CELLS)
        text = (self.runs()[0] / "cells.csv").read_text().splitlines(keepends=True)
        (self.runs()[0] / "cells.csv").write_text("".join(text[:-1]))
        done = self.resume()
        self.assertEqual(done.returncode, 0, done.stderr)
        cells = self.rows("cells.csv")
        self.assertEqual(sorted(int(r["cell"]) for r in cells), list(range(1, launches * CELLS + 1)))
        keys = {(r["case"], r["direction"], r["ranks"]) for r in cells}
        self.assertEqual(sorted((r["case"], r["direction"], r["ranks"], int(r["launch"])) for r in cells),
                         sorted((*key, launch) for key in keys for launch in range(launches)))

    def test_torn(self):
        """A driver that is killed leaves unfinished lines behind, and samples without a cell."""
        self.assertEqual(self.run_it("--order", "given").returncode, 0)
        run = self.runs()[0]
        text = (run / "cells.csv").read_text().splitlines(keepends=True)
        samples = (run / "samples.csv").read_text().splitlines(keepends=True)
        for kept, torn in ((5, 10), (8, 1), (0, 0), (0, 5), (14, -1), (14, -8)):
            with self.subTest(kept=kept, torn=torn):
                lines = text[:kept + 1] if torn or kept else []  # (0, 0): not even a header
                lines += [text[kept + 1][:torn]] if kept < CELLS else []
                if kept == CELLS:
                    lines[-1] = lines[-1][:torn]  # all fields are there; the last one or the line end is not whole
                (run / "cells.csv").write_text("".join(lines))
                (run / "samples.csv").write_text("".join(samples[:3 * kept + 3]) + samples[-1][:torn])
                (run / "counters.csv").write_text("run_id,launch,cell,event,min,median,max,reason\nx,0,1,a,1,1,1,\nx,0,13,a,1,")
                record = self.record()
                record.pop("ended", None)
                (run / "run.json").write_text(json.dumps(record))
                done = self.resume()
                self.assertEqual(done.returncode, 0, done.stderr)
                self.expect_whole()
                counters = (run / "counters.csv").read_text()
                self.assertEqual(counters.count("\n"), 1 + (kept > 0))

    def test_after_signal_and_kill(self):
        self.campaign.write_text(test_run.CAMPAIGN.replace("launches = 1", "launches = 2\nci = 3%"))
        for number in (signal.SIGTERM, signal.SIGKILL):
            with self.subTest(signal=number):
                child = subprocess.Popen(self.words("--seed", "5"), env={**self.environment, "FAKE_MODE": "slow"},
                                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                until = time.monotonic() + 30
                while time.monotonic() < until and not (self.runs() and (self.runs()[0] / "cells.csv").exists()):
                    time.sleep(0.02)
                child.send_signal(number)
                child.communicate(timeout=40)
                self.assertEqual(child.returncode, 3 if number == signal.SIGTERM else -signal.SIGKILL)
                done = self.resume()
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertTrue(all("--ci=3%" in c["argv"] and c["argv"][c["argv"].index("--seed") + 1] == "5"
                                    for c in self.logged() if "argv" in c))
                self.expect_whole()
            shutil.rmtree(self.output)
            shutil.rmtree(self.folder / "whole")
            self.log.unlink()

    def test_twice(self):
        self.assertEqual(self.run_it(FAKE_MODE="die").returncode, 1)
        self.assertEqual(self.resume(FAKE_MODE="die").returncode, 1)
        self.assertEqual(self.resume("--stall-timeout", "60s").returncode, 2)  # the run was started without it
        self.assertEqual(self.resume(str(self.campaign)).returncode, 0)  # the same campaign may be named
        self.assertEqual(len(self.record()["resumed"]), 2)
        self.expect_whole()

    def test_nothing_to_do(self):
        self.assertEqual(self.run_it().returncode, 0)
        files = {path: path.read_bytes() for path in self.runs()[0].iterdir()}
        self.log.unlink()
        done = self.resume()
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("nothing to do", done.stdout)
        self.assertEqual(self.logged(), [])
        self.assertEqual({path: path.read_bytes() for path in self.runs()[0].iterdir()}, files)

    def test_launcher_and_settings_are_kept(self):
        launcher = self.folder / "launch"
        launcher.symlink_to(test_run.HERE / "fake_mpiexec")
        self.assertEqual(self.run_it("--launcher", "./launch --word", "--ranks", "1,2", "--max-reps", "9",
                                     FAKE_MODE="die").returncode, 1)
        self.assertEqual(self.resume().returncode, 0)
        self.assertEqual(self.record()["launches"][-1]["command"][:5], ["./launch", "--word", "-n", "2", str(
            self.builds / "tgbench")])
        self.assertIn("--max-reps=9", self.logged()[-1]["argv"])
        self.assertEqual({r["ranks"] for r in self.rows("cells.csv")}, {"1", "2"})


class Refuses(Case):
    def expect_error(self, done, *parts):
        self.assertEqual((done.returncode, done.stdout, len(done.stderr.splitlines())), (2, "", 1), done.stderr)
        self.assertTrue(done.stderr.startswith("tensorgauge: "), done.stderr)
        for part in parts:
            self.assertIn(part, done.stderr)

    def test_refused(self):
        self.assertEqual(self.run_it("--ranks", "1,2", FAKE_MODE="die").returncode, 1)
        run = self.runs()[0]
        files = {path: path.read_bytes() for path in run.iterdir()}
        calls = self.logged()
        other = self.folder / "other.ini"
        other.write_text(test_run.CAMPAIGN + "; more\n")
        builds = self.folder / "other build"
        builds.mkdir()
        (builds / "tgbench").write_text("#!/bin/sh\nexit 1\n")
        (builds / "tgbench").chmod(0o755)
        self.expect_error(self.resume(folder="/nowhere"), "'/nowhere'", "expected a run folder")
        self.expect_error(self.resume(folder=self.output), "expected a run folder")
        self.expect_error(self.resume(str(other)), "other.ini", "expected the same text")
        self.expect_error(self.resume("quick"), "quick", "expected the same text")
        self.expect_error(self.resume("--ranks", "1"), "--ranks '1'", "with 1,2")
        self.expect_error(self.resume("--seed", "3"), "--seed '3'", "without it")
        self.expect_error(self.resume("--output", "x"), "--output", "expected one of them")
        self.expect_error(self.resume("--dry-run"), "--dry-run", "expected one of them")
        self.expect_error(self.resume("--builds", str(builds)), "other build")
        self.expect_error(self.resume(FAKE_BUILD="another"), "'another'", "expected 'fake'")
        self.assertEqual({path: path.read_bytes() for path in run.iterdir()}, files)
        self.assertEqual(self.logged(), calls)
        plan = run / "plan.tsv"
        plan.write_text(plan.read_text().replace("forward", "adjoint", 1))
        self.expect_error(self.resume(), "plan.tsv", "expected the cells")
        plan.write_bytes(files[plan])
        moved = run.with_name("another-name")
        run.rename(moved)
        self.expect_error(self.resume(folder=moved), "another-name", "expected the name it was made with", run.name)

    def test_two_at_once(self):
        child = subprocess.Popen(self.words(), env={**self.environment, "FAKE_MODE": "hang"}, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
        until = time.monotonic() + 30
        while time.monotonic() < until and not (self.runs() and (self.runs()[0] / "cells.csv").exists()):
            time.sleep(0.02)
        done = self.resume()
        child.send_signal(signal.SIGTERM)
        child.send_signal(signal.SIGINT)
        child.wait(timeout=40)
        self.expect_error(done, "another run is going on there")

    def test_killed_before_its_launch_has_ended(self):
        """A launch that outlives its killed driver is waited for, so that no cell gets two rows."""
        child = subprocess.Popen(self.words("--order", "given"), env={**self.environment, "FAKE_MODE": "deaf"},
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 30
        while time.monotonic() < until and not any(call["ranks"] == 1 for call in self.logged()):
            time.sleep(0.02)
        child.kill()
        child.wait()
        self.assertFalse((self.runs()[0] / "cells.csv").exists())
        done = self.resume()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.expect_whole()


class Locale(Case):
    def test_comma(self):
        """A locale with a decimal comma changes no byte."""
        folder = self.folder / "locales"
        folder.mkdir()
        made = subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", str(folder / "de_DE.UTF-8")], capture_output=True)
        if made.returncode != 0:
            self.skipTest("localedef cannot make de_DE.UTF-8; package locales has its source")
        comma = {"LOCPATH": str(folder), "LANG": "de_DE.UTF-8", "LC_ALL": "de_DE.UTF-8"}
        spoken = subprocess.run([sys.executable, "-c", "import locale; locale.setlocale(locale.LC_ALL, ''); "
                                 "print(locale.localeconv()['decimal_point'])"],
                                env={**self.environment, **comma}, capture_output=True, text=True).stdout.strip()
        self.assertEqual(spoken, ",")
        texts = []
        for environment in ({}, comma):
            self.assertEqual(self.run_it("--launches", "3", "--budget", "19.5s", "--stall-timeout", "1.5s",
                                         **environment).returncode, 0)
            run = self.runs()[0]
            texts.append({name: (run / name).read_text().replace(run.name, "RUN")
                          for name in ("cells.csv", "samples.csv", "summary.csv", "plan.tsv", "campaign.ini")})
            self.assertIsInstance(self.record()["campaign"]["budget_s"], float)
            self.assertEqual(self.record()["campaign"]["budget_s"], 19.5)
            shutil.rmtree(self.output)
        self.assertEqual(texts[0], texts[1])
        self.assertIn("0.25", texts[0]["summary.csv"])


if __name__ == "__main__":
    unittest.main()
