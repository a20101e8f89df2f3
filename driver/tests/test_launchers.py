#!/usr/bin/env python3
"""test_launchers.py TENSORGAUGE: what each launcher is asked, with stand-ins that take the part of each (fake_mpiexec), also of those
that cannot run here: ranks, places, more ranks than slots, variables, files of hosts; and what is told in one line when ranks
cannot start."""
import json
import os
import pathlib
import subprocess
import sys
import time
import unittest

PROGRAM = str(pathlib.Path(sys.argv[1]).resolve())
import test_run  # noqa: E402  (takes the program's path from the words)

OMPI_ROOT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"} if os.geteuid() == 0 else {}
SEND = ["-x", "OPENBLAS_NUM_THREADS", "-x", "OMP_NUM_THREADS"]
SPIN, YIELD = ({"OMPI_MCA_mpi_yield_when_idle": value} for value in "01")
CROWD = 2 * os.cpu_count() + 1  # ranks
# Part: title; words on cores, and when crowded; environment of both; words and environment that oversubscribe (None: it cannot);
# words behind; root's environment.
PARTS = {
    "orte": ("Open MPI (ORTE) 4.1.4", ["--bind-to", "core"], ["--bind-to", "none"], SPIN, YIELD,
             ([], {"OMPI_MCA_rmaps_base_oversubscribe": "1"}), SEND, OMPI_ROOT),
    "prrte": ("Open MPI (PRRTE) 5.0.7", ["--bind-to", "core"], ["--bind-to", "none"], SPIN, YIELD,
              ([], {"PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe"}), SEND, OMPI_ROOT),
    "hydra": ("MPICH (Hydra) 4.2.1", ["-bind-to", "core"], ["-bind-to", "none"], {}, {}, ([], {}), [], {}),
    "slurm": ("Slurm 22.05.8", ["--cpu-bind=cores"], ["--cpu-bind=none"], SPIN, YIELD, (["--overcommit"], {}), [], {}),
    "flux": ("Flux 0.50.0", ["-o", "cpu-affinity=per-task"], ["-o", "cpu-affinity=off"], SPIN, YIELD, None, [], {}),
    "pals": ("PALS 1.3.2", ["--cpu-bind", "core"], ["--cpu-bind", "none"], SPIN, YIELD, None, [], {}),
    "": ("unknown", [], [], {}, {}, None, [], OMPI_ROOT),
}
BINDING = {"orte": "OMPI_MCA_hwloc_base_binding_policy", "prrte": "PRTE_MCA_hwloc_default_binding_policy", "hydra": "HYDRA_BINDING",
           "slurm": "SLURM_CPU_BIND"}
LIBRARIES = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
TINY = "[campaign]\nbudget = 1s\ncalibrate = no\n[cells a]\ncase = broadcast shape=8 from=1 to=Pc\nranks = 1\n"


class Case(test_run.Case):
    def setUp(self):
        super().setUp()
        self.campaign.write_text(TINY)
        self.said = self.folder / "what it said"
        self.environment |= {"FAKE_SAID": str(self.said), "SLURM_JOB_ID": "7"}
        (self.folder / "launch").symlink_to(test_run.HERE / "fake_mpiexec")

    def asked(self, *words, part, ranks=1, **environment):
        """The words in front of the program, and the environment, that the launcher got with the most ranks: in the try, and
        again in the launch."""
        done = self.run_it("--ranks", f"1,{ranks}", *words, FAKE_LAUNCHER=part, **environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        tried, *launched = self.launches()
        self.assertEqual(len(launched), 2 if ranks > 1 else 1)
        self.assertEqual(tried[2], "--version")
        self.assertIn(tried[:2], [one[:2] for one in launched])
        return tried[:2]

    def launches(self):
        """Of each start: the launcher's words, its environment, tgbench's words."""
        starts = self.said.read_text().split("words ")[1:]
        self.said.unlink()
        found = []
        for text in starts:
            words, *lines = text.splitlines()
            words, _, ours = words.partition(str(self.builds / "tgbench"))
            found.append((words.split(), dict(line.partition(" ")[2].partition("=")[::2] for line in lines), ours.strip()))
        return found

    def refused(self, *words, part, ranks=3, **environment):
        begin = time.monotonic()
        done = self.run_it("--ranks", f"1,{ranks}", *words, FAKE_LAUNCHER=part, **environment)
        self.assertLess(time.monotonic() - begin, 50)
        self.said.unlink(missing_ok=True)
        self.assertEqual((done.returncode, done.stdout, len(done.stderr.splitlines())), (2, "", 1), done.stderr)
        self.assertTrue(done.stderr.startswith("tensorgauge: "), done.stderr)
        self.assertEqual([path for path in self.runs() if not (path / "cells.csv").exists()], [])
        return done.stderr


class Words(Case):
    def test_own(self):
        """The launcher of tgbench's MPI library is told where ranks go."""
        for part, (title, on_cores, crowded, spin, give, more, behind, root) in PARTS.items():
            with self.subTest(part=part):
                self.assertEqual(self.run_it("--ranks", f"1,{CROWD}", FAKE_LAUNCHER=part).returncode, 0)
                more = more or ([], {})
                want = [(["-n", "1"] + on_cores + behind, spin | root | LIBRARIES),
                        (["-n", str(CROWD)] + crowded + more[0] + behind, give | more[1] | root | LIBRARIES)]
                tried, *launched = self.launches()
                self.assertEqual(tried[:2], want[1])
                self.assertEqual(sorted((one[:2] for one in launched), key=lambda one: int(one[0][1])), want)
                record = json.loads((self.runs()[-1] / "run.json").read_text())
                self.assertEqual(record["launcher_version"], title)
        for part, variable in BINDING.items():
            with self.subTest(part=part):
                self.assertEqual(self.asked(part=part, **{variable: "user"})[0], ["-n", "1"] + PARTS[part][6])

    def test_users(self):
        """A launcher of the user's gets ranks and no places, and oversubscribes only when asked to."""
        for part, (_, _, _, _, _, more, behind, root) in PARTS.items():
            with self.subTest(part=part):
                if more is None:
                    self.assertIn("no such option", self.refused("--launcher", "./launch", "--oversubscribe", part=part))
                    continue
                self.assertEqual(self.asked("--launcher", "./launch", "--oversubscribe", part=part),
                                 (["-n", "1"] + more[0] + behind, more[1] | root | LIBRARIES))
        for part in ("orte", "slurm", ""):
            with self.subTest(part=part):
                words, said = self.asked("--launcher", "./launch --word", part=part, ranks=CROWD)
                self.assertEqual((words, said), (["--word", "-n", str(CROWD)] + PARTS[part][6], PARTS[part][7] | LIBRARIES))

    def test_variables_of_the_user(self):
        words, said = self.asked("--launcher", "./launch -x OMP_NUM_THREADS=2", part="orte", OPENBLAS_NUM_THREADS="3",
                                 OMPI_MCA_rmaps_base_oversubscribe="0")
        self.assertEqual(words, ["-x", "OMP_NUM_THREADS=2", "-n", "1", "-x", "OPENBLAS_NUM_THREADS"])
        self.assertEqual((said["OPENBLAS_NUM_THREADS"], said["OMPI_MCA_rmaps_base_oversubscribe"]), ("3", "0"))

    def test_name_of_the_program(self):
        """The launcher is known by its answer: behind another program, in a script, and with no word from its name."""
        script = self.folder / "srun"
        script.write_text('#!/bin/sh\nexec ./launch "$@"\n')
        script.chmod(0o755)
        for words in ("./srun", "env A=1 ./launch"):
            self.asked("--launcher", words, "--oversubscribe", part="prrte")
            record = json.loads((self.runs()[-1] / "run.json").read_text())
            self.assertEqual(record["launcher_version"], "Open MPI (PRRTE) 5.0.7")

    def test_resumed(self):
        """A run that goes on asks as before."""
        self.assertEqual(self.run_it("--ranks", "1,2", "--launcher", "./launch", "--oversubscribe", FAKE_LAUNCHER="slurm",
                                     FAKE_MODE="die").returncode, 1)
        self.said.unlink()
        done = subprocess.run([PROGRAM, "run", "--resume", str(self.runs()[0])], cwd=self.folder, capture_output=True, text=True,
                              env={**self.environment, "FAKE_LAUNCHER": "slurm"}, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([words for words, _, _ in self.launches()], [["-n", "2", "--overcommit"]] * 2)


class Lines(Case):
    def test_slots(self):
        for part, remedy in (("orte", "--oversubscribe"), ("prrte", "slots=N"), ("slurm", "--oversubscribe"), ("flux", "fewer ranks")):
            line = self.refused("--launcher", "./launch", part=part, FAKE_SLOTS="2")
            self.assertIn(f"launcher './launch' ({PARTS[part][0]}) has not enough slots for 3 ranks; expected ", line)
            self.assertIn(remedy, line)
            self.assertEqual("--oversubscribe" in line, PARTS[part][5] is not None)
            if PARTS[part][5]:
                self.asked("--launcher", "./launch", "--oversubscribe", part=part, ranks=3, FAKE_SLOTS="2")
        self.assertIn("ended with status 1; expected it to start 3 ranks; it says: launch failed",
                      self.refused("--launcher", "./launch", part="pals", FAKE_SLOTS="2"))
        self.assertIn("not enough slots", self.refused(part="orte", ranks=2, FAKE_SLOTS="1"))

    def test_other_faults(self):
        self.assertIn("./launch' (MPICH (Hydra) 4.2.1) starts ranks that do not find each other; expected the one of tgbench's MPI",
                      self.refused("--launcher", "./launch", part="hydra", FAKE_MODE="alone"))
        self.assertIn("3 ranks were not there after 1 s",
                      self.refused("--launcher", "./launch", "--stall-timeout", "1s", part="hydra", FAKE_MODE="stuck"))
        self.assertIn("ended with status 5; expected it to start 3 ranks; it says: launcher: no such host",
                      self.refused("--launcher", "./launch", part="hydra", FAKE_MODE="broken"))
        self.assertIn("--oversubscribe with --simulate", self.refused("--oversubscribe", "--simulate", "cluster:4", part=""))

    def test_dry_run(self):
        done = self.run_it("--dry-run", "--ranks", "3", "--launcher", "./launch", FAKE_LAUNCHER="orte", FAKE_SLOTS="1")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertFalse(self.said.exists())

    def test_hosts(self):
        """A file of hosts among the words of a launcher has to name one."""
        for part, option, text in (("orte", "--hostfile", ""), ("orte", "-machinefile", "# none\n\n  # nor here\n"),
                                   ("prrte", "--hostfile", "\n"), ("hydra", "-f", ""), ("pals", "--hostfile", "")):
            (self.folder / "hosts").write_text(text)
            line = self.refused("--launcher", f"./launch {option} hosts", part=part)
            self.assertIn(f"{option} 'hosts' names no host", line)
        (self.folder / "hosts").write_text("# one\n  n0 slots=4\n")
        self.asked("--launcher", "./launch --hostfile hosts", part="orte")
        line = self.refused("--launcher", "./launch --hostfile absent", part="orte")
        self.assertIn("'absent'", line)
        self.assertIn("expected a file of hosts", line)

    def test_allocation(self):
        """srun outside of an allocation, and in one with too few CPUs for the most ranks, which are 4."""
        del self.environment["SLURM_JOB_ID"]
        self.assertIn("SLURM_JOB_ID", self.refused("--launcher", "./launch", part="slurm"))
        self.assertEqual(self.run_it("--launcher", "./launch", "--dry-run", FAKE_LAUNCHER="slurm").returncode, 0)
        self.environment["SLURM_JOB_ID"] = "7"
        good = [("4", ""), ("2,1(x2)", ""), ("4(x3),2", "--ntasks-per-node=1"), ("1", "--overcommit"), ("?", "")]
        bad = [("1(x3)", ""), ("2,1", ""), ("8(x3)", "--ntasks-per-node=1"), ("1", "")]
        for cpus, word in bad:
            line = self.refused("--launcher", f"./launch {word}", part="slurm", ranks=4, SLURM_JOB_CPUS_PER_NODE=cpus)
            for part in ("4 ranks", "allocation 7", cpus, "expected"):
                self.assertIn(part, line)
        for cpus, word in good:
            self.asked("--launcher", f"./launch {word}", part="slurm", ranks=4, SLURM_JOB_CPUS_PER_NODE=cpus)
        self.asked("--launcher", "./launch", "--oversubscribe", part="slurm", ranks=4, SLURM_JOB_CPUS_PER_NODE="1")


if __name__ == "__main__":
    unittest.main()
