"""test_trace.py TRACED MPIEXEC: between the two reads of the clock lie the operation's MPI calls and nothing else;
before them the barrier. TRACED is tgbench with every MPI function noted."""
import sys

from launch import Bench

RANKS, ROUNDS, REPETITIONS = 4, 2, 12

# case, direction, the calls of one operation on every rank
CALLS = [
    ("raw:MPI_Bcast shape=100 from=1 to=Pc", "forward", ["MPI_Bcast"]),
    ("raw:MPI_Allreduce shape=100 grid=Pc", "forward", ["MPI_Allreduce"]),
    ("raw:MPI_Alltoallw shape=8x8 from=Px1 to=1xP", "forward", ["MPI_Alltoallw"]),
    ("broadcast shape=100 from=1 to=Pc", "forward", ["MPI_Bcast"]),
    ("broadcast shape=100 from=1 to=Pc", "adjoint", ["MPI_Reduce"]),
    ("sum_reduce shape=100 from=Pc to=1", "forward", ["MPI_Reduce"]),
    ("all_sum_reduce shape=100 grid=Pc", "forward", ["MPI_Allreduce"]),
    ("repartition shape=8x8 from=Px1 to=1xP", "forward", ["MPI_Alltoallw"]),
    ("halo shape=16x8 grid=Px1 kernel=3x1 padding=1x0", "adjoint", ["MPI_Alltoallw"]),
]


def timed_regions(notes):
    """What lies between two successive reads of the clock, where the barrier's last call comes right before the first:
    planning, then the first call, then every repetition."""
    reads = [i for i, note in enumerate(notes) if note == "clock"]
    barrier = ["MPI_Sendrecv"] * ROUNDS
    return [notes[a + 1:b] for a, b in zip(reads, reads[1:]) if notes[a - ROUNDS:a] == barrier]


def main():
    bench = Bench(*sys.argv[1:3])
    for case, direction, calls in CALLS:
        status, _, ours = bench.run(RANKS, "time", case, "--direction", direction, "--min-reps", str(REPETITIONS),
                                    "--max-reps", str(REPETITIONS), TRACE=str(bench.folder / "trace"))
        bench.check(status == 0, f"{case}: {status} {ours}")
        for rank in range(RANKS):
            notes = (bench.folder / f"trace.{rank}").read_text(encoding="ascii").split()
            plan, *regions = timed_regions(notes)
            bench.check(len(plan) > 0, f"{case}: planning has no calls")
            bench.check(len(regions) > REPETITIONS, f"{case}: {len(regions)} timed regions on rank {rank}")
            bench.check(all(region == calls for region in regions),
                        f"{case} {direction}, rank {rank}: {[r for r in regions if r != calls][:2]}; expected {calls}")
    bench.end()


main()
