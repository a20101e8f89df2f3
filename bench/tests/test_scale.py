"""test_scale.py TGBENCH MPIEXEC: what it costs to start a launch and to end it, in messages and bytes of each rank, those inside of
collective calls too: Open MPI's monitoring counts them. Both grow with the logarithm of the ranks, but for 8 bytes
that MPI_Comm_split makes each rank tell every other. Exit status 77 with other libraries, which do not count."""
import json
import os
import subprocess
import sys

from launch import Bench

RANKS = (2, 4, 8, 16)
SPLITS = 4  # of all ranks, at most
CASE = ["time", "raw:memcpy shape=4", "--ranks", "1", "--min-reps", "3", "--max-reps", "3"]  # measured on rank 0: no messages


def counted(bench, ranks):
    """Of the rank that has most: messages, bytes, sent and received."""
    status, _, ours = bench.run(ranks, *CASE, "--facts", "facts.json", OMPI_MCA_pml_monitoring_enable="2",
                                OMPI_MCA_pml_monitoring_enable_output="3", OMPI_MCA_pml_monitoring_filename=str(bench.folder / "count"))
    bench.check(status == 0, f"{ranks} ranks: {status} {ours}")
    totals = [[0, 0] for _ in range(ranks)]
    for path in bench.folder.glob("count.*.prof"):
        for line in path.read_text().splitlines():
            words = line.split()
            if words[0] in ("E", "I"):  # E or I, from, to, N bytes, M msgs sent
                for end in words[1:3]:
                    totals[int(end)][0] += int(words[5])
                    totals[int(end)][1] += int(words[3])
        path.unlink()
    facts = json.loads((bench.folder / "facts.json").read_text())
    (bench.folder / "facts.json").unlink()
    bench.check(len(facts["ranks"]) == ranks and None not in facts["ranks"], f"{ranks} ranks: facts {facts['ranks']}")
    return [max(total[i] for total in totals) for i in (0, 1)]


def main():
    bench = Bench(*sys.argv[1:3])
    if "MCA pml: monitoring" not in subprocess.run(["ompi_info"], capture_output=True, text=True, check=False).stdout or \
            "openmpi" not in json.loads(bench.run(0, "list", "--json")[1])["build"]["mpi_family"]:
        print("skipped: this MPI library has no monitoring")
        bench.folder.rmdir()
        sys.exit(77)
    os.environ.pop("OMPI_MCA_pml", None)  # a choice of one would leave out the one that counts
    counts = {ranks: counted(bench, ranks) for ranks in RANKS}
    print("ranks: messages, bytes", counts)
    # a + b log2 P + c P is no straight line over log2 P; what it bends by is c P.
    for low, middle, high in zip(RANKS, RANKS[1:], RANKS[2:]):
        bend = [counts[high][i] - 2 * counts[middle][i] + counts[low][i] for i in (0, 1)]
        bench.check(counts[low][0] > 0 and bend[0] <= 2, f"messages from {low} to {high} ranks: {counts}")
        bench.check(bend[1] <= 16 * SPLITS * low, f"bytes from {low} to {high} ranks: {counts}")
    bench.end()


main()
