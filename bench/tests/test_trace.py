"""test_trace.py TRACED MPIEXEC: between the two reads of the clock lie the operation's MPI calls and nothing else;
before them the barrier, or the wait for an announced start. A barrier planted there is noticed. TRACED is tgbench with every
MPI function noted."""
import sys

from launch import Bench

RANKS, ROUNDS, REPETITIONS = 4, 2, 12

# case, direction, the calls of one operation on every rank
CALLS = [
    ("raw:MPI_Bcast shape=100 from=1 to=Pc", "forward", ["MPI_Bcast"]),
    ("raw:MPI_Allreduce shape=100 grid=Pc", "forward", ["MPI_Allreduce"]),
    ("raw:MPI_Alltoallw shape=8x8 from=Px1 to=1xP", "forward", ["MPI_Alltoallw"]),
    ("raw:MPI_Scatterv shape=101 from=1 to=P", "forward", ["MPI_Scatterv"]),
    ("raw:MPI_Gatherv shape=101 from=P to=1", "forward", ["MPI_Gatherv"]),
    ("raw:MPI_Allgatherv shape=101 from=P to=Pc", "forward", ["MPI_Allgatherv"]),
    ("raw:MPI_Reduce_scatter shape=101 from=Pc to=P", "forward", ["MPI_Reduce_scatter"]),
    ("raw:MPI_Alltoallv shape=8x8 from=Px1 to=1xP", "forward", ["MPI_Alltoallv"]),
    ("raw:repartition_messages shape=8x8 from=Px1 to=1xP", "forward", ["MPI_Irecv"] * 3 + ["MPI_Isend"] * 3 + ["MPI_Waitall"]),
    ("broadcast shape=100 from=1 to=Pc", "forward", ["MPI_Bcast"]),
    ("broadcast shape=100 from=1 to=Pc", "adjoint", ["MPI_Reduce"]),
    ("sum_reduce shape=100 from=Pc to=1", "forward", ["MPI_Reduce"]),
    ("all_sum_reduce shape=100 grid=Pc", "forward", ["MPI_Allreduce"]),
    ("scatter shape=101 from=1 to=P", "forward", ["MPI_Scatterv"]),
    ("scatter shape=101 from=1 to=P", "adjoint", ["MPI_Gatherv"]),
    ("gather shape=101 from=P to=1", "forward", ["MPI_Gatherv"]),
    ("all_gather shape=101 from=P to=Pc", "forward", ["MPI_Allgatherv"]),
    ("reduce_scatter shape=101 from=Pc to=P", "forward", ["MPI_Reduce_scatter"]),
    ("repartition shape=8x8 from=Px1 to=1xP", "forward", ["MPI_Alltoallw"]),
    ("halo shape=16x8 grid=Px1 kernel=3x1 padding=1x0", "adjoint", ["MPI_Alltoallw"]),
]


# One call each, of one launch: the operation is named after its call.
ALONE = ["raw:MPI_Allgather shape=100 from=P to=Pc", "raw:MPI_Alltoall shape=8x8 from=Px1 to=1xP", "raw:MPI_Barrier grid=Pc",
         "raw:MPI_Scan shape=100 grid=Pc", "raw:MPI_Exscan shape=100 grid=Pc", "raw:MPI_Reduce_scatter_block shape=100 from=Pc to=P"]
# The call that plans them, then MPI_Start and MPI_Wait in each repetition.
PERSISTENT = ["raw:MPI_Bcast_init shape=100 from=1 to=Pc", "raw:MPI_Alltoallv_init shape=8x8 from=Px1 to=1xP",
              "raw:MPI_Reduce_scatter_init shape=101 from=Pc to=P", "raw:MPI_Barrier_init grid=Pc"]


def timed_regions(notes):
    """What lies between two successive reads of the clock, where the barrier's last call comes right before the first:
    planning, then the first call, then every repetition."""
    reads = [i for i, note in enumerate(notes) if note == "clock"]
    barrier = ["MPI_Sendrecv"] * ROUNDS
    return [notes[a + 1:b] for a, b in zip(reads, reads[1:]) if notes[a - ROUNDS:a] == barrier]


def trace(bench, cases, direction, **environment):
    """The notes of each rank; none where the library lacks a call."""
    cases = [cases] if isinstance(cases, str) else cases
    status, output, ours = bench.run(RANKS, "time", *cases, "--direction", direction, "--sync", environment.pop("sync", "barrier"),
                                     "--min-reps", str(REPETITIONS), "--max-reps", str(REPETITIONS),
                                     TRACE=str(bench.folder / "trace"), **environment)
    if status == 3 and "unsupported" in output:
        return []
    bench.check(status == 0, f"{cases}: {status} {ours}")
    return [(bench.folder / f"trace.{rank}").read_text(encoding="ascii").split() for rank in range(RANKS)]


def wrong_regions(notes, calls):
    """Timed regions behind a barrier that hold other calls than these, the number of all, and the calls of planning."""
    plan, *regions = timed_regions(notes)
    return [region for region in regions if region != calls], len(regions), plan


def check_barrier(bench, case, direction, calls):
    for rank, notes in enumerate(trace(bench, case, direction)):
        wrong, count, plan = wrong_regions(notes, calls)
        bench.check(len(plan) > 0, f"{case}: planning has no calls")
        bench.check(count > REPETITIONS, f"{case}: {count} timed regions on rank {rank}")
        bench.check(not wrong, f"{case} {direction}, rank {rank}: {wrong[:2]}; expected {calls}")


def check_together(bench):
    for rank, notes in enumerate(trace(bench, ALONE, "forward")):
        regions = timed_regions(notes)
        for call in (case.split()[0].removeprefix("raw:") for case in ALONE):
            timed = [region for region in regions if call in region and region != [call] and "MPI_Comm_split" not in region]
            bench.check(regions.count([call]) > REPETITIONS and not timed, f"{call}, rank {rank}: {timed[:2]}")
    for rank, notes in enumerate(trace(bench, PERSISTENT, "forward")):
        regions = timed_regions(notes)
        started = regions.count(["MPI_Start", "MPI_Wait"])
        bench.check(started > len(PERSISTENT) * REPETITIONS, f"persistent, rank {rank}: {started} of {len(regions)} regions")
        for call in (case.split()[0].removeprefix("raw:") for case in PERSISTENT):
            planned = [region for region in regions if call in region]
            bench.check(len(planned) == 1 and notes.count(call) == 1, f"{call}, rank {rank}: planned {notes.count(call)} times")
        wrong = [region for region in regions if "MPI_Start" in region and region != ["MPI_Start", "MPI_Wait"]]
        bench.check(not wrong, f"persistent, rank {rank}: {wrong[:2]}")


def check_planted(bench):
    """The same check must fail on every rank and in every timed region."""
    case, direction, calls = CALLS[0]
    for rank, notes in enumerate(trace(bench, case, direction, PLANT="barrier")):
        wrong, count, _ = wrong_regions(notes, calls)
        bench.check(len(wrong) == count > REPETITIONS and all("MPI_Barrier" in region for region in wrong),
                    f"a planted barrier on rank {rank}: {len(wrong)} of {count} timed regions are wrong")


def check_announced(bench, sync):
    """The wait is reads of the clock only; between the last of them and the next read lies the operation. Its call is one
    that tgbench itself never makes."""
    case, direction, calls = next(row for row in CALLS if row[2] == ["MPI_Alltoallw"])
    for rank, notes in enumerate(trace(bench, case, direction, sync=sync)):
        reads = [i for i, note in enumerate(notes) if note == "clock"]
        regions = [notes[a + 1:b] for a, b in zip(reads, reads[1:]) if "MPI_Alltoallw" in notes[a:b]]
        timed = [region for region in regions if region == calls]
        bench.check(len(timed) > REPETITIONS, f"{sync}: {len(timed)} timed regions on rank {rank}")
        # Besides them there are the two checks of the values, which nobody times.
        bench.check(len(regions) - len(timed) <= 2, f"{sync}, rank {rank}: {[r for r in regions if r != calls][:3]}")


def main():
    bench = Bench(*sys.argv[1:3])
    for case, direction, calls in CALLS:
        check_barrier(bench, case, direction, calls)
    check_together(bench)
    check_planted(bench)
    for sync in ("window", "round-time"):
        check_announced(bench, sync)
    bench.end()


main()
