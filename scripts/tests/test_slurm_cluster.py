#!/usr/bin/env python3
"""test_slurm_cluster.py SLURM_CLUSTER TENSORGAUGE: runs under a real Slurm of four hosts in network namespaces: by srun inside an
allocation, stopped by Slurm's signal, resumed when Slurm starts the job again. Exit status 77, with the reason, where Slurm
is not installed, or kernel or rights allow no namespaces."""
import csv
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

TENSORGAUGE = pathlib.Path(sys.argv.pop(2)).resolve()
PROGRAM = shlex.quote(str(TENSORGAUGE))  # stands in scripts
LIST = subprocess.run([TENSORGAUGE.parent / "tgbench", "list", "--json"], capture_output=True, check=True)
MPI = "pmi2" if json.loads(LIST.stdout)["build"]["mpi_family"] == "mpich" else "pmix"  # how ranks find each other
SCRIPT = str(pathlib.Path(sys.argv.pop(1)).resolve())
NAME = f"t{os.getpid() % 10**6}q"
TINY = "--ranks 4 --budget 1s --calibrate no --direction forward"

# The job ends itself by requeueing: Slurm starts the same script again, and what there is goes on. `#SBATCH --signal=B:USR1@60`
# would send the signal near the end of the job's time; Slurm looks at times twice a minute only, so the test sends it.
JOB = """#!/bin/bash
#SBATCH --nodes=2 --ntasks=2 --time=5 --requeue --open-mode=append --output=said
set -m
if [[ -d results ]]; then
    words=(--resume results/*)
else
    words=(./long.ini --output results --launcher "srun --mpi={mpi}")
fi
echo "start ${{SLURM_RESTART_COUNT:-0}}"
{program} run "${{words[@]}}" &
trap 'kill -USR1 $!' USR1
until wait $!; status=$?; ! kill -0 $! 2>/dev/null; do :; done
echo "status $status"
if ((status == 3)); then
    scontrol requeue "$SLURM_JOB_ID"
    sleep 100 # until Slurm ends this one
fi
touch over
"""
LONG = """[campaign]
budget    = 12s
calibrate = no
ci        = 0.001%      ; so that a cell takes its share of the budget
max-reps  = 1000000
[cells long]
case      = broadcast shape=N from=1 to=Pc
ranks     = 2
sizes     = 8B,16B,32B,64B,128B,256B
direction = forward
"""


SUBMIT = """has_row() { grep -q ',ok,' results/*/cells.csv; }
within() {
    for ((i = 0; i < 10 * $1; i++)); do "${@:2}" >&/dev/null && return; sleep 0.1; done
}
sbatch job.sh
within 30 has_row
scancel --batch --signal=USR1 1
within 60 ls over
squeue
cat said
"""


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tensorgauge-slurm-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def in_slurm(self, *words):
        return subprocess.run([SCRIPT, "--name", NAME, *words], cwd=self.folder, capture_output=True, text=True, timeout=300,
                              stdin=subprocess.DEVNULL)

    def rows(self, name="cells.csv"):
        with open(next((self.folder / "results").iterdir()) / name, newline="", encoding="ascii") as file:
            return list(csv.DictReader(file, strict=True))

    def record(self):
        return json.loads((next((self.folder / "results").iterdir()) / "run.json").read_text())

    def test_srun(self):
        """Ranks on four nodes, one on each, then two on each; and what cannot be: too many ranks, with one line, no folder and
        no step left."""
        (self.folder / "all.sh").write_text(f"""
for words in --ntasks-per-node=1 --nodes=2; do
    {PROGRAM} run smoke {TINY} --launcher "srun --mpi={MPI} $words" --output "results$words"
    echo "status $?"
done
{PROGRAM} run quick --ranks 2,9 --launcher "srun --mpi={MPI}" --output none 2>&1; echo "status $?"
{PROGRAM} run quick --ranks 5 --launcher "srun --mpi={MPI} --ntasks-per-node=1" --output none 2>&1; echo "status $?"
ls -d none; squeue -h -s -o %i | grep -v -e batch -e extern -e interactive; echo steps
""")
        done = self.in_slurm("--cpus", "2", "salloc", "-N", "4", "-n", "8", "bash", "./all.sh")
        self.assertEqual([line for line in done.stdout.splitlines() if line.startswith("status")],
                         ["status 0", "status 0", "status 2", "status 2"], done.stdout + done.stderr)
        tail = done.stdout[done.stdout.index("tensorgauge: "):].splitlines()
        self.assertEqual([line for line in tail if not line.startswith("tensorgauge: launcher srun: ")],
                         ["status 2", "status 2", "steps"], done.stderr)
        self.assertIn("9 ranks are asked for", tail[0])
        self.assertIn("5 ranks are asked for", tail[2])
        for folder, nodes, ppn in [("results--nodes=2", "2", "2"), ("results--ntasks-per-node=1", "4", "1")]:
            (self.folder / folder).rename(self.folder / "results")
            self.assertEqual({(r["nodes"], r["ppn"], r["status"], r["world_size"]) for r in self.rows()},
                             {(nodes, ppn, "ok", "4")}, folder)
            machines = self.record()["launches"][0]["facts"]["machines"]
            self.assertEqual([m["name"] for m in machines], [f"{NAME}{i}" for i in range(int(nodes))])
            shutil.rmtree(self.folder / "results")

    def test_requeue(self):
        (self.folder / "job.sh").write_text(JOB.format(program=PROGRAM, mpi=MPI))
        (self.folder / "long.ini").write_text(LONG)
        done = self.in_slurm("bash", "-c", SUBMIT)
        self.assertIn("status 0", done.stdout, done.stderr)
        said = [line for line in done.stdout.splitlines() if line.startswith(("start ", "status "))]
        self.assertEqual(said, ["start 0", "status 3", "start 1", "status 0"], done.stdout + done.stderr)
        self.assertEqual([(r["status"], r["nodes"]) for r in self.rows()], [("ok", "2")] * 6)
        record = self.record()
        self.assertEqual((record["cells_done"], len(record["resumed"])), (6, 1))


if __name__ == "__main__":
    probe = subprocess.run([SCRIPT, "--name", NAME, "--hosts", "2", "srun", "-N", "2", "true"], capture_output=True, text=True,
                           stdin=subprocess.DEVNULL, timeout=200)
    if probe.returncode == 2:
        print(f"skipped: {probe.stderr.strip()}")
        sys.exit(77)
    unittest.main()
