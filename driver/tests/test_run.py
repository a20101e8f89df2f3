#!/usr/bin/env python3
"""test_run.py TENSORGAUGE: the life of a run, with a stand-in for tgbench and the MPI launcher (fake_tgbench,
fake_mpiexec): words, product, launches, budget, folders, exit statuses, signals."""
import csv
import json
import os
import pathlib
import pty
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
PROGRAM = str(pathlib.Path(sys.argv.pop(1)).resolve())

CAMPAIGN = """; a comment
[campaign]
name     = some name
launches = 1
budget   = 20s
seed     = 7

[cells one]        ; a comment behind a section
case      = broadcast shape=N from=1 to=Pc   ; and behind a value
case      = raw:MPI_Bcast shape=N from=1 to=Pc
ranks     = 2,1
sizes     = 8B,1KiB
direction = forward,adjoint
[cells two]
case      = affine batch=2 features=3:4 grid=1xP
ranks     = 1,3
direction = adjoint
algorithm = mpi
"""


class Case(unittest.TestCase):
    def setUp(self):
        # Blanks in every path are meant.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tensorgauge test "))
        self.addCleanup(shutil.rmtree, self.folder)
        self.builds = self.folder / "my build"
        self.builds.mkdir()
        (self.builds / "tgbench").symlink_to(HERE / "fake_tgbench")
        self.campaign = self.folder / "my campaign.ini"
        self.campaign.write_text(CAMPAIGN)
        self.output = self.folder / "some results"
        self.log = self.folder / "log"
        keep = ("PATH", "HOME", "TMPDIR", "LSAN_OPTIONS", "ASAN_OPTIONS", "UBSAN_OPTIONS")
        self.environment = {name: os.environ[name] for name in keep if name in os.environ}
        self.environment["FAKE_LOG"] = str(self.log)

    def words(self, *words, campaign=None):
        return [PROGRAM, "run", str(campaign or self.campaign), "--builds", str(self.builds), "--output", str(self.output),
                *words]

    def run_it(self, *words, campaign=None, **environment):
        return subprocess.run(self.words(*words, campaign=campaign), env={**self.environment, **environment}, cwd=self.folder,
                              capture_output=True, text=True, timeout=60)

    def runs(self):
        return sorted(self.output.iterdir()) if self.output.exists() else []

    def logged(self):
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []

    def rows(self, name):
        with open(self.runs()[0] / name, newline="") as file:
            return list(csv.DictReader(file, strict=True))


class Good(Case):
    def test_product(self):
        done = self.run_it()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(self.runs()), 1)
        keys = {(r["case"], r["direction"], int(r["ranks"])) for r in self.rows("cells.csv")}
        want = set()
        for ranks in (1, 2):
            for n in (2, 256):
                words = f"shape={n} from=1 to={ranks}c"
                want |= {(f"broadcast {words}", d, ranks) for d in ("forward", "adjoint")}
                want.add((f"raw:MPI_Bcast {words}", "forward", ranks))
        want |= {("affine batch=2 features=3:4 grid=1xP algorithm=mpi", "backward", ranks) for ranks in (1, 3)}
        self.assertEqual(keys, want)
        self.assertEqual(len(self.rows("cells.csv")), 14)
        self.assertEqual(sorted(int(r["cell"]) for r in self.rows("cells.csv")), list(range(1, 15)))
        # One launch for each rank count, each with all its cells.
        self.assertEqual(sorted((c["ranks"], c["cells"]) for c in self.logged()), [(1, 7), (2, 6), (3, 1)])
        lines = done.stdout.splitlines()
        self.assertEqual(lines[0], f"run folder: {self.runs()[0]}")
        self.assertRegex(lines[1], r"^14 of 14 cells measured in \d+ s, 0 wrong$")
        self.assertTrue(any("broadcast of 8 B at 2 ranks: 20 us" in line for line in lines))
        self.assertTrue(any("affine" not in line or "7 GFLOP/s" in line for line in lines))

    def test_folder(self):
        self.assertEqual(self.run_it().returncode, 0)
        run = self.runs()[0]
        self.assertRegex(run.name, r"^\d{8}T\d{6}Z_[A-Za-z0-9._-]+_some-name$")
        for name in ("cells.csv", "summary.csv", "run.json", "campaign.ini", "log.txt", "plan.tsv"):
            self.assertTrue((run / name).is_file(), name)
        self.assertEqual((run / "campaign.ini").read_text(), CAMPAIGN)
        self.assertIn("a line that is no cell", (run / "log.txt").read_text())
        self.assertEqual({r["run_id"] for r in self.rows("cells.csv")}, {run.name})
        self.assertEqual(list(run.glob("*.new")), [])

    def test_record(self):
        secret = {"OMP_PROC_BIND": "close", "MY_PASSWORD": "hidden1", "UCX_SECRET_KEY": "hidden2", "SLURM_JWT": "hidden3"}
        self.assertEqual(self.run_it("--seed", "11", **secret).returncode, 0)
        text = (self.runs()[0] / "run.json").read_text()
        record = json.loads(text)
        self.assertNotIn("hidden", text)
        self.assertEqual(record["environment"], {"OMP_PROC_BIND": "close"})
        self.assertEqual(record["campaign"]["text"], CAMPAIGN)
        self.assertEqual(record["campaign"]["seed"], 11)
        self.assertEqual(record["command"][:2], ["tensorgauge", "run"])
        self.assertEqual(record["command"][-2:], ["--seed", "11"])
        self.assertEqual((record["cells_planned"], record["cells_done"], record["cells_wrong"]), (14, 14, 0))
        self.assertGreaterEqual(record["machine"]["cores"], 1)
        self.assertEqual(record["tgbench"]["build"]["mpi"], "Fake, MPI")
        self.assertEqual(sorted(launch["ranks"] for launch in record["launches"]), [1, 2, 3])
        self.assertEqual((record["settings"], record["order"]), ({"seed": "11"}, "shuffled"))
        self.assertLessEqual(record["started"], record["ended"])

    def test_budget(self):
        self.assertEqual(self.run_it("--budget", "14s", "--order", "given").returncode, 0)
        times = [(int(re.fullmatch(r"(\d+)ms", c["budget"])[1]) / 1000, c["cells"]) for c in self.logged()]
        # 7, 6 and 1 of 14 cells; the launches take next to no time here, so what they leave goes to the next ones.
        self.assertLessEqual(times[0][0], 7.0)
        self.assertGreater(times[0][0], 6.5)
        self.assertLessEqual(times[1][0], 14 * 6 / 7)
        self.assertLessEqual(times[2][0], 14)
        self.assertGreaterEqual(min(budget / cells for budget, cells in times), 0.02)

    def test_launches(self):
        done = self.run_it("--launches", "3", "--ranks", "1,2", "--order", "given")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("  broadcast of 8 B at 2 ranks: 21 us, median of 3 launches\n", done.stdout)
        self.assertEqual([(c["launch"], c["ranks"]) for c in self.logged()], [(k, p) for k in range(3) for p in (1, 2)])
        cells = self.rows("cells.csv")
        self.assertEqual(len({r["cell"] for r in cells}), len(cells))
        summary = self.rows("summary.csv")
        self.assertEqual(len(summary) * 3, len(cells))
        for row in summary:
            medians = [float(r["t_median_us"]) for r in cells
                       if all(r[key] == row[key] for key in ("case", "direction", "ranks"))]
            self.assertEqual(float(row["median_us"]), statistics.median(medians))
            self.assertEqual((float(row["min_us"]), float(row["max_us"])), (min(medians), max(medians)))
            self.assertEqual((float(row["ci_lo_us"]), float(row["ci_hi_us"]), row["ci_kind"]),
                             (min(medians), max(medians), "minmax"))
            self.assertEqual((row["launches"], row["status"], row["within_cv"]), ("3", "ok", "0.25"))
            between = statistics.stdev(medians) / statistics.mean(medians)
            self.assertAlmostEqual(float(row["between_cv"]), between, places=12)

    def test_intervals(self):
        for launches, kind in ((1, "within"), (6, "between")):
            self.assertEqual(self.run_it("--launches", str(launches), "--ranks", "1").returncode, 0)
            row = self.rows("summary.csv")[0]
            self.assertEqual(row["ci_kind"], kind)
            want = (9.0, 11.0) if launches == 1 else (10.0, 15.0)  # 6 launches: the 1st and the 6th of 10 .. 15
            self.assertEqual((float(row["ci_lo_us"]), float(row["ci_hi_us"])), want)
            self.assertEqual(row["between_cv"] == "", launches == 1)
            shutil.rmtree(self.output)

    def test_options_override(self):
        self.assertEqual(self.run_it("--sizes", "16B:64B:x2", "--ranks", "2", "--direction", "forward", "--dtype", "f32,f64",
                                     "--algorithm", "reference,mpi,absent", "--name", "x/y z", "--scaling", "strong").returncode, 0)
        cases = [r["case"] for r in self.rows("cells.csv")]
        # broadcast 3 sizes x 2 types x 3 algorithms, one of which its MPI library lacks, so that its rows will say so; raw
        # has one algorithm and one type; affine 2 x 2.
        self.assertEqual(len(cases), 18 + 3 + 4)
        self.assertIn("raw:MPI_Bcast shape=16 from=1 to=2c dtype=f32", cases)
        self.assertIn("broadcast shape=4 from=1 to=2c dtype=f64 algorithm=reference", cases)
        self.assertTrue(self.runs()[0].name.endswith("_x-y-z"))
        self.assertIn("\tstrong\t", (self.runs()[0] / "plan.tsv").read_text())

    def test_kernels(self):
        """They multiply the cases that know them; others stay as they are."""
        self.assertEqual(self.run_it("--kernels", "one,other", "--ranks", "1", "--direction", "forward,backward").returncode, 0)
        cases = [r["case"] for r in self.rows("cells.csv")]
        affine = "affine batch=2 features=3:4 grid=1xP kernels={} algorithm=mpi"
        self.assertEqual(sorted(c for c in cases if "kernels" in c), sorted(2 * [affine.format("one"), affine.format("other")]))
        self.assertTrue([c for c in cases if "affine" not in c])

    def test_asked_twice_measured_once(self):
        text = CAMPAIGN + "[cells three]\ncase = broadcast shape=N from=1 to=Pc\nranks = 2,2,3\nsizes = 8B,8B\n"
        self.campaign.write_text(text)
        self.assertEqual(self.run_it().returncode, 0)
        keys = [(r["case"], r["direction"], r["ranks"]) for r in self.rows("cells.csv")]
        self.assertEqual(len(keys), 14 + 2)
        self.assertEqual(len(set(keys)), len(keys))

    def test_words_in_the_case_win(self):
        self.campaign.write_text("[cells a]\ncase = broadcast shape=8 from=1 to=Pc dtype=i32\nranks = 1\ndtype = f32,f64\n")
        self.assertEqual(self.run_it().returncode, 0)
        self.assertEqual({r["case"] for r in self.rows("cells.csv")}, {"broadcast shape=8 from=1 to=1c dtype=i32"})
        self.assertTrue(self.runs()[0].name.endswith("_my-campaign"))  # no name: the file's

    def test_long_line(self):
        words = " ".join(f"key{i}=1" for i in range(30))
        self.campaign.write_text(f"[cells a]\ncase = broadcast shape=8 {words}\nranks = 1\n")
        self.assertEqual(self.run_it().returncode, 0)
        self.assertIn("key29=1", self.rows("cells.csv")[0]["case"])

    def test_order(self):
        """Numbers are the campaign's; the order is shuffled in each launch, the same for the same seed."""
        orders = []
        for seed in ("1", "1", "2"):
            self.assertEqual(self.run_it("--launches", "4", "--seed", seed).returncode, 0)
            orders.append([(c["launch"], c["ranks"], tuple(c["order"])) for c in self.logged()])
            self.assertEqual([int(r["cell"]) for r in self.rows("cells.csv")], [n for o in orders[-1] for n in o[2]])
            self.log.unlink()
            summary = [(r["case"], r["direction"]) for r in self.rows("summary.csv")]
            shutil.rmtree(self.output)
        self.assertEqual(orders[0], orders[1])
        self.assertNotEqual(orders[0], orders[2])
        self.assertEqual([o[0] for o in orders[0]], [k for k in range(4) for _ in range(3)])  # whole rounds
        self.assertGreater(len({tuple(o[1] for o in orders[0][3 * k:3 * k + 3]) for k in range(4)}), 1)
        self.assertTrue(any(list(o[2]) != sorted(o[2]) for o in orders[0]))
        for launch, ranks, cells in orders[0]:  # 14 cells a round: 7 with one rank, 6 with two, 1 with three
            first = 14 * launch + {1: 1, 2: 8, 3: 14}[ranks]
            self.assertEqual(sorted(cells), list(range(first, first + {1: 7, 2: 6, 3: 1}[ranks])))
        self.assertEqual(self.run_it("--launches", "4", "--order", "given").returncode, 0)
        self.assertEqual([n for c in self.logged() for n in c["order"]], list(range(1, 57)))
        self.assertEqual([(r["case"], r["direction"]) for r in self.rows("summary.csv")], summary)

    def test_turns(self):
        """Cells of the same ranks, size and direction stand together in every order; others take no turns."""
        self.campaign.write_text(CAMPAIGN.replace("launches = 1", "launches = 3").replace("[cells two]", "turns = yes\n[cells two]"))
        self.assertEqual(self.run_it().returncode, 0)
        lines = [line.split("\t") for line in (self.runs()[0] / "plan.tsv").read_text().splitlines()]
        self.assertEqual(lines[0][-1], "turn")
        told = {int(line[1]): line for line in lines[1:]}
        self.assertEqual(len(told), 3 * 14)
        alone = [number for number, line in told.items() if line[7] == ""]
        self.assertTrue(all("MPI_Bcast" not in told[number][6] for number in alone))
        self.assertEqual(len(alone), 3 * (14 - 2 * 4))
        partners = {}
        for number, line in told.items():
            if number not in alone:
                partners.setdefault(int(line[7]), []).append(number)
        for first, members in partners.items():
            self.assertEqual(members, [first, first + 1] if members[0] == first else [first + 1, first])
            self.assertEqual(told[first][0], told[first + 1][0])
            self.assertEqual(told[first][2:6], told[first + 1][2:6])
            self.assertEqual({told[first][6].split()[0], told[first + 1][6].split()[0]}, {"broadcast", "raw:MPI_Bcast"})
        orders = set()
        for call in self.logged():
            numbers = call["order"]
            for number in numbers:
                if number in partners:
                    self.assertEqual(numbers[numbers.index(number) + 1], number + 1)
            orders.add((call["ranks"], tuple(number - min(numbers) for number in numbers)))
        self.assertGreater(len(orders), 3, "the pairs are shuffled")
        shutil.rmtree(self.output)
        self.assertEqual(self.run_it("--turns", "no").returncode, 0)
        self.assertNotIn("turn", (self.runs()[0] / "plan.tsv").read_text())

    def test_settings(self):
        """Settings that tgbench knows: from the campaign, replaced by options, given to each launch."""
        self.campaign.write_text(CAMPAIGN.replace("seed     = 7", "sync = window\nmax-reps = 50\nraw = all\ncache = cold"))
        self.assertEqual(self.run_it("--ci", "2%", "--cache", "warm", "--ranks", "1,2").returncode, 0)
        for launch in self.logged():
            words = [word for word in launch["argv"] if "=" in word]
            self.assertEqual(words, ["--sync=window", "--cache=warm", "--ci=2%", "--max-reps=50", "--raw=all"])

    def test_facts(self):
        facts = {"hosts": ["a", "b"]}
        self.assertEqual(self.run_it(FAKE_FACTS=json.dumps(facts)).returncode, 0)
        record = json.loads((self.runs()[0] / "run.json").read_text())
        self.assertEqual([launch["facts"] for launch in record["launches"]], [facts] * 3)
        self.assertEqual(list(self.runs()[0].glob("facts*")), [])
        shutil.rmtree(self.output)
        self.assertEqual(self.run_it(FAKE_FACTS="no JSON").returncode, 0)
        record = json.loads((self.runs()[0] / "run.json").read_text())
        self.assertNotIn("facts", record["launches"][0])
        self.assertEqual(list(self.runs()[0].glob("facts*")), [])

    def test_progress(self):
        """On a terminal: a bar, how many cells, the time left, and how the last cell went."""
        ours, terminal = pty.openpty()
        child = subprocess.Popen(self.words("--ranks", "1"), env=self.environment, stdout=subprocess.DEVNULL, stderr=terminal)
        os.close(terminal)
        said = b""
        while True:
            try:
                block = os.read(ours, 4096)
            except OSError:  # the other side is closed
                break
            said += block
        os.close(ours)
        self.assertEqual(child.wait(timeout=60), 0)
        self.assertRegex(said.decode(), r"\r\x1b\[K\[#+\.+\] 3 of 7 cells, \d+ s left; ok 10 us \+-5\.0% \(6 reps\)")
        for bar in re.findall(r"\x1b\[K(\[[^\r\n]*)", said.decode()):
            self.assertLess(len(bar), 80)

    def test_dry_run(self):
        done = self.run_it("--dry-run")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("14 cells, budget 20 s", done.stdout)
        self.assertIn("estimated time: at most about 23 s = 20 s of budget, 1.4 s a cell, and 3 starts", done.stdout)
        self.assertEqual(self.runs(), [])
        self.assertEqual(self.logged(), [])

    def test_environment(self):
        self.assertEqual(self.run_it("--ranks", "1", FAKE_CORE="Prescott", OMP_NUM_THREADS="2").returncode, 0)
        environment = self.logged()[0]["environment"]
        self.assertEqual(environment["OPENBLAS_NUM_THREADS"], "1")
        self.assertEqual(environment["OMP_NUM_THREADS"], "2")  # the user's stays

    def test_blas_core(self):
        flags = pathlib.Path("/proc/cpuinfo").read_text()
        done = self.run_it("--ranks", "1", FAKE_CORE="Prescott")
        core = self.logged()[0]["environment"].get("OPENBLAS_CORETYPE")
        if "avx2" in flags and "fma" in flags:
            self.assertIn(core, ("Haswell", "SkylakeX"))
            said = [line for line in done.stderr.splitlines() if "OPENBLAS_CORETYPE" in line]
            self.assertEqual(len(said), 1)
            self.assertIn("Prescott", said[0])
        self.log.unlink()
        done = self.run_it("--ranks", "1", FAKE_CORE="Prescott", OPENBLAS_CORETYPE="Nehalem")
        self.assertEqual(self.logged()[0]["environment"]["OPENBLAS_CORETYPE"], "Nehalem")
        self.assertNotIn("OPENBLAS_CORETYPE", done.stderr)
        self.log.unlink()
        self.run_it("--ranks", "1", FAKE_CORE="SkylakeX")
        self.assertNotIn("OPENBLAS_CORETYPE", self.logged()[0]["environment"])

    def test_user_launcher(self):
        launcher = self.folder / "launch"
        launcher.symlink_to(HERE / "fake_mpiexec")
        done = self.run_it("--launcher", "./launch --word other", "--ranks", "1")
        self.assertEqual(done.returncode, 0, done.stderr)
        record = json.loads((self.runs()[0] / "run.json").read_text())
        self.assertEqual(record["launches"][0]["command"][:5], ["./launch", "--word", "other", "-n", "1"])

    def test_two_runs_at_once(self):
        both = [subprocess.Popen(self.words(), env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                for _ in range(3)]
        folders = set()
        for one in both:
            output, errors = one.communicate(timeout=60)
            self.assertEqual(one.returncode, 0, errors)
            folders.add(output.splitlines()[0])
        self.assertEqual(len(folders), 3)
        self.assertEqual(len(self.runs()), 3)
        for run in self.runs():
            self.assertEqual(len((run / "cells.csv").read_text().splitlines()), 15)


    def test_auto_cache(self):
        """All launches share a file of choices in the run folder, which begins as the user's, only where auto is asked for."""
        self.campaign.write_text(CAMPAIGN.replace("launches = 1", "launches = 2"))
        given = self.folder / "my choices.txt"
        given.write_text("chosen before\n")
        done = self.run_it("--auto-cache", str(given), "--algorithm", "auto,mpi", "--calibrate", "no")
        self.assertEqual(done.returncode, 0, done.stderr)
        own = self.runs()[0].resolve() / "auto.txt"
        self.assertEqual(own.read_text(), "chosen before\n")
        words = [[w for w in call["argv"] if "auto-cache" in w] for call in self.logged()]
        self.assertTrue(len(words) >= 4 and all(w == [f"--auto-cache={own}"] for w in words), words)
        self.assertEqual(json.loads((self.runs()[0] / "run.json").read_text())["settings"]["auto-cache"], str(given))

    def test_no_auto_cache(self):
        done = self.run_it("--algorithm", "mpi")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertFalse((self.runs()[0] / "auto.txt").exists())
        self.assertFalse([w for call in self.logged() for w in call["argv"] if "auto-cache" in w])

class Builds(Case):
    """Two builds in one run, in turns."""

    def setUp(self):
        super().setUp()
        self.first, self.second = self.builds, self.folder / "second"
        self.second.mkdir()
        (self.second / "tgbench").symlink_to(HERE / "fake_tgbench")
        for folder in (self.first, self.second):
            (folder / "build_name").write_text(folder.name)
        self.builds = f"{self.first},{self.second}"

    def test_turns(self):
        self.assertEqual(self.run_it("--launches", "3").returncode, 0)
        launches = self.logged()
        names = [self.first.name, self.second.name]
        self.assertEqual(len(launches), 3 * 3 * 2)
        leaders = []
        for pair in zip(launches[0::2], launches[1::2]):  # both builds beside each other, at the same rank count
            self.assertEqual({launch["build"] for launch in pair}, set(names))
            self.assertEqual(len({launch["ranks"] for launch in pair}), 1)
            self.assertEqual([launch["launch"] % 2 for launch in pair], [names.index(launch["build"]) for launch in pair])
            self.assertEqual(len({launch["launch"] // 2 for launch in pair}), 1)
            leaders.append(pair[0]["build"])
        self.assertEqual(leaders, [names[(round_ + group) % 2] for round_ in range(3) for group in range(3)])
        rows = self.rows("cells.csv")
        self.assertEqual(len(rows), 2 * 3 * 14)
        cells = [{(r["case"], r["direction"], r["ranks"]) for r in rows if r["build"] == name} for name in names]
        self.assertEqual(cells[0], cells[1])
        self.assertEqual(len(cells[0]), 14)
        record = json.loads((self.runs()[0] / "run.json").read_text())
        self.assertEqual([b["build"]["name"] for b in record["builds"]], names)
        compared = subprocess.run([PROGRAM, "compare", str(self.runs()[0])], capture_output=True, text=True, timeout=60)
        self.assertEqual((compared.returncode, compared.stderr), (0, ""))
        self.assertIn("14 cells compared", compared.stdout)

    def test_resume(self):
        self.assertEqual(self.run_it("--launches", "2", FAKE_MODE="die").returncode, 1)
        killed = [r for r in self.rows("cells.csv") if r["status"] == "killed"]
        self.assertEqual({r["build"] for r in killed}, {self.first.name, "second"})
        words = [PROGRAM, "run", "--resume", str(self.runs()[0])]
        other = subprocess.run([*words, "--builds", str(self.first)], env=self.environment, capture_output=True, text=True,
                               timeout=60)
        self.assertEqual((other.returncode, other.stdout), (2, ""))
        done = subprocess.run(words, env=self.environment, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        for name in (self.first.name, "second"):
            self.assertEqual(sum(r["build"] == name and r["status"] == "ok" for r in self.rows("cells.csv")), 28)

    def test_refused(self):
        def refused(builds, *words):
            self.builds = builds
            done = self.run_it(*words)
            self.assertEqual((done.returncode, done.stdout, self.runs()), (2, "", []), done.stderr)
            self.assertRegex(done.stderr, r"\Atensorgauge: [^\n]+\n\Z")
            return done.stderr

        self.assertIn("different names", refused(f"{self.first},{self.first}"))
        self.assertIn("'absent'", refused(f"{self.first},absent"))
        self.assertIn("''", refused(f"{self.first},"))
        self.assertIn("algorithm=auto", refused(f"{self.first},{self.second}", "--algorithm", "auto"))


class Bad(Case):
    def expect_error(self, done, *parts):
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertEqual(done.stdout, "")
        lines = done.stderr.splitlines()
        self.assertEqual(len(lines), 1, done.stderr)
        self.assertTrue(lines[0].startswith("tensorgauge: "), lines[0])
        for part in parts:
            self.assertIn(part, lines[0])
        self.assertEqual(self.runs(), [])
        self.assertEqual(self.logged(), [])

    def test_words(self):
        def said(*words):
            return subprocess.run([PROGRAM, *words], env=self.environment, cwd=self.folder, capture_output=True, text=True)

        self.expect_error(said(), "expected run, submit, compare, accept, plot, report, export, import, selfcheck, train or list")
        self.expect_error(said("walk"), "'walk'", "expected")
        self.expect_error(said("run"), "expected the name of a campaign")
        self.expect_error(said("run", "no-such-campaign"), "'no-such-campaign'", "expected")
        self.expect_error(said("run", "./no such file.ini"), "no such file.ini", "expected")
        self.expect_error(said("run", "."), "'.'")
        self.expect_error(said("run", "a\nb"), "a?b")
        self.expect_error(self.run_it("--builds", "/nowhere"), "'/nowhere'", "expected")
        self.expect_error(self.run_it("another"), "'another'")
        self.expect_error(self.run_it("--bogus", "1"), "'--bogus'")
        self.expect_error(self.run_it("--ranks"), "'--ranks'")
        self.expect_error(self.run_it("--ranks", "0"), "--ranks '0'", "expected")
        self.expect_error(self.run_it("--ranks", "1,x"), "--ranks 'x'", "expected")
        self.expect_error(self.run_it("--sizes", "12Q"), "--sizes '12Q'", "expected")
        self.expect_error(self.run_it("--budget", "10"), "--budget '10'", "expected")
        self.expect_error(self.run_it("--budget", "0s"), "--budget '0s'", "expected")
        self.expect_error(self.run_it("--launches", "0"), "--launches '0'", "expected")
        self.expect_error(self.run_it("--seed", "-1"), "--seed '-1'", "expected")
        self.expect_error(self.run_it("--direction", "sideways"), "direction 'sideways'")
        self.expect_error(self.run_it("--order", "mixed"), "--order 'mixed'", "expected")
        self.expect_error(self.run_it("--cache", "hot"), "--cache 'hot'", "expected warm or cold")
        self.expect_error(said("run", "--resume", str(self.folder)), "--resume", "expected a run folder")
        self.expect_error(self.run_it("--dtype", "f33"), "dtype 'f33'")
        self.expect_error(self.run_it("--kernels", "none"), "kernels 'none'", "is not known")
        self.expect_error(self.run_it("--algorithm", "magic"), "algorithm 'magic'")
        self.expect_error(self.run_it("--scaling", "mild"), "--scaling 'mild'", "expected")
        self.expect_error(self.run_it("--launcher", "no-such-launcher -x"), "'no-such-launcher'", "expected")
        self.expect_error(self.run_it("--launcher", " "), "launcher", "expected")

    def test_output_beneath_a_file(self):
        (self.folder / "file").write_text("")
        self.expect_error(self.run_it("--output", str(self.folder / "file")), "file", "expected a folder")
        self.expect_error(self.run_it("--output", str(self.folder / "file/results")), "file", "expected a folder")

    def test_campaigns(self):
        good = "[cells a]\ncase = broadcast shape=8 from=1 to=Pc\nranks = 1\n"
        for text, *parts in (
            ("", "expected at least one section"),
            ("[campaign]\nname = a\n", "expected at least one section"),
            ("name = a\n" + good, "line 1", "expected [campaign] or [cells NAME]"),
            ("[campain]\nname = a\n" + good, "line 2", "[campain]"),
            ("[cells]\nranks = 1\n", "line 2", "[cells]"),
            ("[campaign]\nnam = a\n" + good, "line 2: nam ", "expected one of name"),
            ("[campaign]\nbudget = soon\n" + good, "line 2: budget 'soon'", "expected"),
            ("[campaign]\nseed = 1\nseed = 2\n" + good, "line 3: seed", "twice"),
            ("[campaign]\ncache = warm\ncache = cold\n" + good, "line 3: cache", "twice"),
            ("[campaign]\ncache = hot\n" + good, "--cache 'hot'", "expected warm or cold"),
            ("[campaign]\norder = mixed\n" + good, "line 2: order 'mixed'", "expected shuffled or given"),
            ("[campaign]\nstall-timeout = 0s\n" + good, "line 2: stall-timeout '0s'", "expected"),
            (good + "launcher = srun\n", "line 4: launcher", "expected case"),
            (good + "ranks = 2\n", "line 4: ranks", "twice"),
            (good + "sizes = 12Q\n", "line 4: sizes '12Q'", "expected"),
            (good + "sizes = 1KiB:16MiB\n", "line 4: sizes", "1KiB:16MiB"),
            (good + "scaling = mild\n", "line 4: scaling 'mild'", "expected"),
            (good + "nothing here\n", "line 4", "expected [section] or key = value"),
            (good + "case = broadcast shape\n", "line 4: case", "'shape'"),
            (good + "case = broadcast shape=1 shape=2\n", "line 4: case", "shape=2", "twice"),
            (good + "direction = forward,sideways\n", "[cells a]", "direction 'sideways'"),
            (good + "dtype = f33\n", "[cells a]", "dtype 'f33'"),
            (good + "kernels = one\n", "kernels: no case computes with a library"),
            (good + "algorithm = mpi,magic\n", "[cells a]", "algorithm 'magic'"),
            (good.replace("broadcast", "broadcst"), "line 2", "'broadcst'"),
            (good.replace("shape=8", "shape=0x"), "line 2", "shape '0x'"),
            (good.replace("shape=8", "shape=N"), "line 2", "N needs a size"),
            (good + "[cells b]\nranks = 1\n", "line 5", "[cells b]", "no case"),
            (good + "[cells b]\ncase = broadcast shape=8\n", "line 5", "[cells b]", "no ranks"),
            (good + "[campaign]\nname = x\n" + good, "line 7", "second section"),
            (good.replace("broadcast", "raw:MPI_Bcast") + "dtype = i32\n", "expected at least one cell"),
        ):
            with self.subTest(text=text):
                self.campaign.write_text(text)
                self.expect_error(self.run_it(), *parts)


class Ends(Case):
    def test_wrong(self):
        done = self.run_it(FAKE_MODE="wrong")
        self.assertEqual(done.returncode, 1)
        self.assertIn("14 of 14 cells measured in", done.stdout)
        self.assertIn(", 1 wrong", done.stdout)
        wrong = [r for r in self.rows("summary.csv") if r["status"] == "wrong"]
        self.assertEqual(len(wrong), 1)
        self.assertEqual((wrong[0]["launches"], wrong[0]["median_us"]), ("0", ""))

    def test_launch_that_dies(self):
        done = self.run_it(FAKE_MODE="die")
        self.assertEqual(done.returncode, 1)
        lines = [line for line in done.stderr.splitlines() if line.startswith("tensorgauge: ")]
        self.assertEqual(len(lines), 1, done.stderr)
        self.assertIn("with 2 ranks ended with status 137 after 1 of 6 cells", lines[0])
        self.assertEqual(sorted(c["ranks"] for c in self.logged()), [1, 2, 3])  # the others are measured all the same
        killed = [r for r in self.rows("cells.csv") if r["status"] == "killed"]
        self.assertEqual(len(self.rows("cells.csv")), 10)
        launch = next(c for c in self.logged() if c["ranks"] == 2)
        self.assertEqual([(r["cell"], r["ranks"], r["t_median_us"]) for r in killed], [(str(launch["order"][1]), "2", "")])
        self.assertTrue(all(killed[0][key] for key in ("case", "op", "direction", "run_id", "build")))
        self.assertEqual({r["cell"] for r in self.rows("samples.csv")},
                         {r["cell"] for r in self.rows("cells.csv") if r["status"] == "ok"})
        self.assertEqual([r["status"] for r in self.rows("summary.csv") if r["launches"] == "0"], ["killed"])
        self.assertIn("9 of 14 cells", done.stdout)

    def start(self, mode, *words, rows=1):
        """A run that is in the cell behind so many rows."""
        child = subprocess.Popen(self.words("--order", "given", *words), env={**self.environment, "FAKE_MODE": mode},
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        until = time.monotonic() + 30
        samples = 3 * (rows + 1)  # its own come before its row
        while time.monotonic() < until and not (self.runs() and (self.runs()[0] / "samples.csv").exists()
                                                and (self.runs()[0] / "samples.csv").read_text().count("\n") > samples):
            time.sleep(0.02)
        return child

    def stop_by(self, number):
        child = self.start("slow")
        child.send_signal(number)
        output, errors = child.communicate(timeout=40)
        self.assertEqual(child.returncode, 3, errors)
        self.assertIn(f"stopped by signal {int(number)}", errors)
        self.assertEqual(self.logged()[-1], {"signal": signal.SIGUSR1})  # passed on, and waited for
        self.assertEqual(len(self.logged()), 2)  # no other launch was started
        self.assertEqual([r["status"] for r in self.rows("cells.csv")], ["ok", "ok"])  # the cell in flight was finished
        self.assertEqual(len(self.rows("summary.csv")), 2)
        record = json.loads((self.runs()[0] / "run.json").read_text())
        self.assertEqual((record["stopped_by_signal"], record["cells_done"]), (number, 2))
        self.assertIn("2 of 14 cells", output)

    def test_signals(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            with self.subTest(signal=number):
                self.stop_by(number)
            shutil.rmtree(self.output)
            self.log.unlink()

    def test_second_signal(self):
        child = self.start("hang")
        child.send_signal(signal.SIGTERM)
        until = time.monotonic() + 20
        while time.monotonic() < until and self.logged()[-1] != {"signal": signal.SIGUSR1}:
            time.sleep(0.02)
        child.send_signal(signal.SIGTERM)
        errors = child.communicate(timeout=40)[1]
        self.assertEqual(child.returncode, 3, errors)
        self.assertEqual([c["signal"] for c in self.logged()[1:]], [signal.SIGUSR1, signal.SIGTERM])
        self.assertEqual([r["status"] for r in self.rows("cells.csv")], ["ok"])
        self.assertEqual({r["cell"] for r in self.rows("samples.csv")}, {"1"})

    def test_stall(self):
        done = self.run_it("--stall-timeout", "300ms", "--budget", "2s", "--order", "given", FAKE_MODE="hang")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual(done.stderr.count("hung and was ended"), 2)  # 1 and 2 ranks; with 3 there is one cell only
        self.assertEqual([(r["cell"], r["status"]) for r in self.rows("cells.csv")],
                         [("1", "ok"), ("2", "killed"), ("8", "ok"), ("9", "killed"), ("14", "ok")])
        record = json.loads((self.runs()[0] / "run.json").read_text())
        self.assertEqual([launch["stalled"] for launch in record["launches"]], [True, True, False])

    def test_torn(self):
        self.assertEqual(self.run_it("--order", "given", FAKE_MODE="torn").returncode, 1)
        self.assertEqual([(r["cell"], r["status"]) for r in self.rows("cells.csv")][7:],
                         [("8", "ok"), ("9", "killed"), ("14", "ok")])
        self.assertEqual({int(r["cell"]) for r in self.rows("samples.csv")}, {*range(1, 9), 14})

    def test_full(self):
        done = self.run_it("--order", "given", FAKE_MODE="full")
        self.assertEqual(done.returncode, 3)
        lines = [line for line in done.stderr.splitlines() if line.startswith("tensorgauge: ")]
        self.assertEqual(len(lines), 1, done.stderr)
        self.assertIn("No space left on device", lines[0])
        self.assertEqual(len(self.logged()), 1)  # the next launch would end so too
        self.assertEqual([(r["cell"], r["status"]) for r in self.rows("cells.csv")], [("1", "ok")])

    def test_orphan(self):
        """What a launch leaves behind is ended with it, also in a session of its own."""
        self.assertEqual(self.run_it("--ranks", "1", FAKE_MODE="orphan").returncode, 0)
        left = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout.splitlines()
        self.assertNotIn("sleep 1234", left)

    def test_killed(self):
        """When the driver itself is killed, its launch does not go on."""
        child = subprocess.Popen(self.words(), env={**self.environment, "FAKE_MODE": "slow"}, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
        until = time.monotonic() + 30
        while time.monotonic() < until and not self.logged():
            time.sleep(0.02)
        time.sleep(0.2)
        child.kill()
        child.wait()
        while time.monotonic() < until and self.logged()[-1] != {"signal": signal.SIGTERM}:
            time.sleep(0.02)
        self.assertEqual(self.logged()[-1], {"signal": signal.SIGTERM})


class List(Case):
    def test_list(self):
        done = subprocess.run([PROGRAM, "list"], env=self.environment, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("campaigns in ", done.stdout)
        self.assertRegex(done.stdout, r"(?m)^  quick +\d+ sections, ")
        self.assertIn("launchers", done.stdout)
        done = subprocess.run([PROGRAM, "list", "all"], env=self.environment, capture_output=True, text=True)
        self.assertEqual((done.returncode, len(done.stderr.splitlines())), (2, 1))

    def test_help(self):
        for words in (["--help"], ["run", "--help"], ["list", "--help"], ["--version"]):
            done = subprocess.run([PROGRAM, *words], env=self.environment, capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn("tensorgauge", done.stdout)


if __name__ == "__main__":
    unittest.main()
