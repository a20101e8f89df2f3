#!/usr/bin/env python3
"""test_submit.py TENSORGAUGE: the batch scripts of `tensorgauge submit`, executed with stand-ins for Slurm's programs:
a run, its end before the limit and its resumption; words that a shell would obey; wrong words."""
import csv
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM = str(pathlib.Path(sys.argv.pop(1)).resolve())
MPIEXEC = json.loads(subprocess.run([str(pathlib.Path(PROGRAM).parent / "tgbench"), "list", "--json"], check=True,
                                    capture_output=True, text=True).stdout)["build"]["mpiexec"]
SHORT = """[campaign]
name = short
budget = 1s
calibrate = no
[cells a]
case = broadcast shape=N from=1 to=Pc
ranks = 1
sizes = 1KiB
"""
LONG = """[campaign]
name = long
budget = 60s
calibrate = no
ci = 0.001%
max-reps = 1000000
[cells a]
case = broadcast shape=N from=1 to=Pc
ranks = 2
sizes = 1KiB:64KiB:x2
direction = forward,adjoint
"""
# What a shell would obey outside of single quotes, and inside of them.
HOSTILE = "o'; touch pwned1; '$(touch pwned2)`touch pwned3`\"; touch pwned4; \"\ntouch pwned5\n#SBATCH --comment=x \\' & "
FAKES = {
    "srun": '[ "$1" != --version ] || { echo slurm 22.05.8; exit; }; printf "%s\\n" "$@" >>"$LOG/srun"; while [ "$1" != -n ]; do shift; done; exec "$MPIEXEC" "$@"',
    "sbatch": 'printf "%s\\n" "$@" >>"$LOG/sbatch"; echo "Submitted batch job 7"',
    "scontrol": 'printf "%s\\n" "$@" >>"$LOG/scontrol"',
}


class Submit(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tensorgauge submit "))
        self.addCleanup(shutil.rmtree, self.folder)
        self.here, self.log, fakes = (self.folder / name for name in ("here", "log", "fakes"))
        for folder in (self.here, self.log, fakes):
            folder.mkdir()
        for name, text in FAKES.items():
            (fakes / name).write_text("#!/bin/sh\n" + text + "\n")
            (fakes / name).chmod(0o755)
        self.environment = os.environ | {"PATH": f"{fakes}:{os.environ['PATH']}", "LOG": str(self.log),
                                         "MPIEXEC": MPIEXEC, "SLURM_JOB_ID": "7"}
        (self.here / "short.ini").write_text(SHORT)
        (self.here / "long.ini").write_text(LONG)

    def submit(self, *words, **more):
        return subprocess.run([PROGRAM, "submit", *words], cwd=self.here, capture_output=True, text=True, timeout=100,
                              **({"env": self.environment} | more))

    def script(self, *words):
        done = self.submit(*words)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return self.here / done.stdout.split("\n")[0]

    def start(self, script):
        # As Slurm does it: a copy of the script elsewhere, in the folder where sbatch was called.
        shutil.copy(script, self.folder / "slurm_script")
        job = subprocess.Popen(["bash", str(self.folder / "slurm_script")], cwd=self.here, env=self.environment,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(job.kill)
        return job

    def wait(self, job, status):
        output, errors = job.communicate(timeout=100)
        self.assertEqual(job.returncode, status, output + errors)
        return output

    def logged(self, name):
        path = self.log / name
        return path.read_text().splitlines() if path.exists() else []

    def rows(self, output="results"):
        folder, = (self.here / output / "job-7").iterdir()
        if not (folder / "cells.csv").exists():
            return []
        with open(folder / "cells.csv", newline="") as file:
            return list(csv.DictReader(file))

    def test_head(self):
        script = self.script("short.ini", "--nodes", "3", "--ranks-per-node", "4", "--time", "90min", "--partition",
                             "fast,slow", "--account=proj-1", "--constraint", "[a|b]&c")
        self.assertEqual(script.name, "tensorgauge-short.sbatch")
        lines = script.read_text().splitlines()
        self.assertEqual(lines[0], "#!/bin/bash")
        for line in ("--nodes=3", "--ntasks-per-node=4", "--time=1:30:00", "--signal=B:USR1@120", "--requeue",
                     "--partition=fast,slow", "--account=proj-1", "--constraint=[a|b]&c", "--exclusive"):
            self.assertIn("#SBATCH " + line, lines)
        self.assertTrue([line for line in lines if "'--ranks' '12'" in line], lines)
        self.assertEqual(self.logged("sbatch"), [])
        short = self.script("short.ini", "--nodes", "1", "--time", "2min").read_text()
        self.assertIn("#SBATCH --signal=B:USR1@30\n", short)
        self.assertIn("#SBATCH --time=0:16:00\n", self.script("short.ini", "--nodes", "1").read_text())

    def test_run_and_again(self):
        done = self.submit("short.ini", "--nodes", "2", "--script", "my script", "--go", "--", "--launches", "2")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        path = str(self.here / "my script")
        self.assertEqual(done.stdout.splitlines(), [path, "Submitted batch job 7"])
        self.assertEqual(self.logged("sbatch"), [path])
        self.wait(self.start(path), 0)
        rows = self.rows()
        self.assertEqual({(row["status"], row["ranks"]) for row in rows}, {("ok", "2")})
        self.assertEqual({row["launch"] for row in rows}, {"0", "1"})
        self.assertIn("--mpi=pm", self.logged("srun")[0])
        self.assertIn("nothing to do", self.wait(self.start(path), 0))  # queued again after its end
        self.assertEqual(self.rows(), rows)
        self.assertEqual(self.logged("scontrol"), [])

    def test_signal_before_the_end(self):
        script = self.script("long.ini", "--nodes", "2")
        for turn in (1, 2):
            before = len(self.rows()) if turn == 2 else 0
            job = self.start(script)
            end = time.monotonic() + 90
            while not ((self.here / "results").exists() and len(self.rows()) > before):
                self.assertIsNone(job.poll())
                self.assertLess(time.monotonic(), end, "no cell was measured")
                time.sleep(0.2)
            job.send_signal(signal.SIGUSR1)
            self.wait(job, 3)
            self.assertEqual(self.logged("scontrol"), ["requeue", "7"] * turn)
        self.assertEqual({row["status"] for row in self.rows()}, {"ok"})
        folder, = (self.here / "results" / "job-7").iterdir()
        self.assertEqual(len(json.loads((folder / "run.json").read_text())["resumed"]), 1)

    def test_no_cell_in_the_time(self):
        # The job must not be queued again and again when its time is too short for a single cell.
        script = self.script("short.ini", "--nodes", "1")
        stand_in = self.folder / "stand-in"
        for rows, requeued in (("", []), ("echo row >>\"$3/x/cells.csv\"", ["requeue", "7"])):
            stand_in.write_text(f"#!/bin/bash\nmkdir -p \"$3/x\"\ntrap '{rows}; exit 3' USR1\n"
                                "echo started; while :; do sleep 0.1; done\n".replace("'; exit", "'exit"))
            stand_in.chmod(0o755)
            text = re.sub("^program=.*$", f"program='{stand_in}'", script.read_text(), flags=re.M)
            (self.here / "job").write_text(text)
            job = self.start(self.here / "job")
            self.assertEqual(job.stdout.readline(), "started\n")
            job.send_signal(signal.SIGUSR1)
            errors = job.communicate(timeout=60)[1]
            self.assertEqual((job.returncode, self.logged("scontrol")), (3, requeued), errors)
            self.assertEqual("not queued again" in errors, not requeued)

    def test_hostile_words(self):
        place = self.here / HOSTILE
        place.mkdir()
        (place / "short.ini").write_text(SHORT)
        self.script(HOSTILE + "/short.ini", "--nodes", "1", "--output", HOSTILE + "/out", "--script",
                    HOSTILE + "/script", "--launcher", "srun '; touch pwned6; ' $(touch pwned7)")
        path = place / "script"
        self.wait(self.start(path), 0)
        self.assertEqual({row["status"] for row in self.rows(HOSTILE + "/out")}, {"ok"})
        self.assertEqual(self.logged("srun")[:9], ["';", "touch", "pwned6;", "'", "$(touch", "pwned7)", "-n", "1",
                                                   str(pathlib.Path(PROGRAM).parent / "tgbench")])
        self.assertEqual(list(self.folder.rglob("pwned?")), [])

    def expect_error(self, done, *parts):
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertRegex(done.stderr, r"\Atensorgauge: [^\n]+\n\Z")
        for part in parts:
            self.assertIn(part, done.stderr)

    def test_wrong_words(self):
        two = ("short.ini", "--nodes", "2")
        before = sorted(self.here.iterdir())
        self.expect_error(self.submit(), "campaign")
        self.expect_error(self.submit("short.ini"), "--nodes")
        self.expect_error(self.submit("short.ini", "--nodes", "0"), "--nodes", "'0'")
        self.expect_error(self.submit("absent", "--nodes", "1"), "'absent'", "expected")
        self.expect_error(self.submit(*two, "--time", "5s"), "--time", "1 min")
        self.expect_error(self.submit(*two, "--time", "soon"), "--time", "'soon'")
        for word in ("", "a b", "-x", "a\n#SBATCH --wrap=b", "a'b", 'a"b', "a\\b", "a;b", "a$b", "a`b"):
            self.expect_error(self.submit(*two, "--partition=" + word), "--partition", "expected letters")
        self.expect_error(self.submit(*two, "--", "--bogus"), "--bogus")
        self.expect_error(self.submit(*two, "--", "--sizes", "large"), "large")
        self.expect_error(self.submit(*two, "--builds", "/nowhere"), "/nowhere")
        self.expect_error(self.submit(*two, "--script", "/nowhere/script"), "/nowhere/script")
        self.expect_error(self.submit(*two, "--go", env=self.environment | {"PATH": "/nowhere"}), "sbatch", "PATH")
        self.assertEqual(sorted(self.here.iterdir()), before, "nothing is written")

    def test_refused(self):
        fake = self.folder / "fakes" / "sbatch"
        fake.write_text("#!/bin/sh\necho 'sbatch: error: invalid account' >&2\nexit 1\n")
        done = self.submit("short.ini", "--nodes", "1", "--go")
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, r"\Atensorgauge: sbatch refused [^\n]+invalid account\n\Z")


if __name__ == "__main__":
    unittest.main()
