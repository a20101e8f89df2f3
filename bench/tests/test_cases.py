"""test_cases.py TGBENCH MPIEXEC PLANTED: cases through `check`: the examples of the grammar, sizes around the rank
count, every operation; and the same program with a broadcast that is wrong, which must be found."""
import json
import sys

from launch import ALL, Bench

# rank count, cases
CASES = [
    (12, ["broadcast shape=14x5 from=2x1 to=2x3c", "sum_reduce shape=14x5 from=2x3c to=2x1",
          "all_sum_reduce shape=1024x1024 grid=2x3c",
          "repartition shape=77x55 from=4x1 from-ranks=4-7 from-parts=20+19+19+19x* to=3x4",
          "repartition shape=14x1 from=2x2 to=2x2c from-order=reshaped",
          "scatter shape=77x55 from=1x1 from-ranks=4 to=3x4", "gather shape=77x55 from=3x4 to=1x1 to-ranks=11"]),
    (5, ["all_gather shape=77 from=5 to=5c", "reduce_scatter shape=77 from=5c to=5",
         "all_gather shape=7x9 from=2x2 to=2x2c in-place=yes", "repartition shape=7x9 in-place=yes"]),
    (4, ["broadcast shape=N from=1 to=Pc", "halo shape=1x8x512x512 grid=1x1x2x2 kernel=5x5 padding=2x2",
         "send_recv shape=N from-ranks=0 to-ranks=1", "affine batch=64 features=1024:1024 grid=2x2",
         "halo shape=9 grid=4 kernel=3 padding=1 periodic=yes in-place=yes",
         "broadcast shape=12 from=1 to=Pc accumulate=yes dtype=i32"]),
    (5, ["raw:MPI_Scatterv shape=1x37x5 from=1x1x1 from-ranks=4 to=1x3x1", "raw:MPI_Gatherv shape=37x5 from=4x1 from-ranks=3,0,4,1 "
         "to=1x1 to-ranks=2", "raw:MPI_Allgatherv shape=37x2 from=4x1 from-ranks=3,0,4,1 to=4cx1 to-ranks=0,1,3,4",
         "raw:MPI_Reduce_scatter shape=11 from=3c to=3 from-ranks=4,0,2 to-ranks=2-4:2,0", "raw:MPI_Sendrecv shape=9x7 from-ranks=3 "
         "to-ranks=1", "raw:MPI_Alltoallv shape=7x9 from=2x2 to=2x2c", "raw:MPI_Alltoallv shape=9x8x7 from=2x1x2 to=1x5x1 dtype=c64",
         "raw:repartition_messages shape=7x9 from=2x2 to=5x1 to-ranks=4-0:-1", "raw:halo_messages shape=9x9 grid=2x2 kernel=5 periodic=yes",
         "raw:halo_messages shape=1x8x32x32 grid=1x1x5x1 kernel=5x5 padding=2x2",
         "raw:MPI_Allgather shape=36x2 from=4x1 from-ranks=3,0,4,1 to=4cx1 to-ranks=0,1,3,4",
         "raw:MPI_Reduce_scatter_block shape=12 from=3c to=3 from-ranks=4,0,2 to-ranks=2-4:2,0",
         "raw:MPI_Alltoall shape=6x8x4 from=2x1x2 to=1x4x1 from-ranks=4,0,1,3 to-ranks=0,1,3,4",
         "raw:MPI_Alltoall shape=4x6 from=4x1 to=2cx2 to-ranks=3-0:-1", "raw:MPI_Scan shape=7x3 grid=2x2c ranks=4,0,3,1",
         "raw:MPI_Exscan shape=7x3 grid=2cx2 ranks=4,0,3,1", "raw:MPI_Scan shape=7 grid=5c ranks=4,2,0,1,3",
         "raw:MPI_Barrier grid=2x2c ranks=4,0,3,1", "raw:MPI_Barrier grid=3c ranks=4,0,2",
         "raw:MPI_Bcast shape=8x3 from=2x1 to=2x2c to-ranks=4,0,3,1", "raw:MPI_Reduce shape=7x3 from=2x2c from-ranks=4,0,3,1 to=2x1 "
         "to-ranks=4,3", "raw:MPI_Allreduce shape=7x3 grid=2cx2 ranks=4,0,3,1"]),
]

EVERYWHERE = [
    "broadcast shape=N from=1 to=Pc", "sum_reduce shape=N from=Pc to=1", "all_sum_reduce shape=N grid=Pc",
    "repartition shape=Nx3 from=Px1 to=1xP", "scatter shape=N from=1 to=P", "gather shape=N from=P to=1",
    "all_gather shape=N from=P to=Pc", "reduce_scatter shape=N from=Pc to=P", "send_recv shape=N from-ranks=0 to-ranks=0",
    "halo_transposed shape=15x8 grid=Px1 kernel=4x3 stride=2x1 padding=1x1", "halo_upsample shape=15x8 grid=Px1 kernel=2x2 stride=2x2",
    "allocate shape=1xN grid=1xP", "deallocate shape=2xN grid=1xP", "clear shape=2xN grid=1xP", "add shape=2xN grid=1xP",
    "copy shape=2xN grid=1xP in-place=yes", "move shape=2xNx3 in-place=yes", "move shape=2xN grid=1xP accumulate=yes",
    "halo shape=30x8 grid=Px1 kernel=5x3 padding=2x1", "affine batch=3 features=13:5 grid=1xP",
    "kernel:affine batch=3 features=13:5 grid=Px1",
    "kernel:convolution batch=2 channels=4:6 space=17x9 kernel=3x3 padding=1x1 grid=1x1xPx1",
    "convolution batch=2 channels=4:6 space=17x9 kernel=3x3 padding=1x1 grid=1x1xPx1 store-x=nchw8c store-y=nchw16c",
    "affine batch=3 features=13:5 grid=Px1 dtype=f64 bias=no", "raw:MPI_Bcast shape=N from=1 to=Pc",
    "raw:MPI_Reduce shape=N from=Pc to=1", "raw:MPI_Allreduce shape=N grid=Pc",
    "raw:MPI_Alltoallw shape=Nx3 from=Px1 to=1xP", "raw:memcpy shape=N", "raw:noop shape=N",
    "raw:MPI_Scatterv shape=N from=1 to=P", "raw:MPI_Gatherv shape=N from=P to=1", "raw:MPI_Allgatherv shape=N from=P to=Pc",
    "raw:MPI_Reduce_scatter shape=N from=Pc to=P", "raw:MPI_Alltoallv shape=Nx3 from=Px1 to=1xP",
    "raw:MPI_Alltoallv shape=7xNx2 from=1x1xP to=Px1x1", "raw:repartition_messages shape=Nx3 from=1xP to=Px1",
    "raw:halo_messages shape=2x30x7 grid=1xPx1 kernel=5x3 padding=2x1", "raw:halo_messages shape=30x8 grid=Px1 kernel=5x3 periodic=yes",
    "raw:MPI_Sendrecv shape=N from-ranks=0 to-ranks=0", "raw:MPI_Allgather shape=Nx2 from=Px1 to=Pcx1",
    "raw:MPI_Alltoall shape=Nx3xN from=Px1x1 to=1x1xP", "raw:MPI_Reduce_scatter_block shape=N from=Pc to=P",
    "raw:MPI_Scan shape=N grid=Pc", "raw:MPI_Exscan shape=N grid=Pc", "raw:MPI_Barrier grid=Pc",
    "machine:quantum shape=N",
    "chain:scatter+all_gather shape=N from=1 to=Pc", "chain:sum_reduce+broadcast shape=N grid=Pc",
    "chain:reduce_scatter+all_gather shape=N grid=Pc", "chain:gather+scatter shape=Nx3 from=Px1 to=1xP",
]


def check(bench, ranks, words, expected=0):
    status, output, ours = bench.run(ranks, "check", *words)
    last = output.splitlines()[-1] if output else ""
    checked = int(last.split()[0]) if last else 0
    refused = sum(line.startswith("n/a") and "_init: " in line for line in output.splitlines())  # check_persistent looks at them
    bench.check(status == expected and checked + refused >= len(words), f"{ranks} ranks: {words}: {status} {ours}\n{output}")
    return output


def every_type(cases, types):
    """Cases in each element type that `list` names for their operation."""
    return [f"{case} dtype={name}" for case in cases if "dtype=" not in case for name in types[case.split()[0]]]


# Persistent collectives that a library does not have, or has wrong; all libraries that are not named have them right.
LACKING = (("Open MPI v4", "_init"), ("MPICH Version: 4.0", "raw:MPI_Allgather_init"))


def with_persistent(cases, types):
    """The cases, and once more by the persistent form of their call, where there is one."""
    twins = [(case, case.split()[0]) for case in cases if case.split()[0] + "_init" in types]
    return cases + [case.replace(call, call + "_init", 1) for case, call in twins]


def check_persistent(bench, types, library, outputs):
    """Each is right wherever it was checked, and is only refused by libraries that lack it."""
    forms = {call for call in types if call.endswith("_init")}
    lacking = {call for call in forms if any(library.startswith(name) and call.endswith(end) for name, end in LACKING)}
    found = {call: set() for call in forms}
    for words in (line.split() for output in outputs for line in output.splitlines()):
        for call in forms.intersection(words):
            found[call].add(words[0])
    expected = {call: {"n/a" if call in lacking else "ok"} for call in forms}
    bench.check(len(forms) == 15 and found == expected, f"{library}: {found}; expected {expected}")


def main():
    program, mpiexec, planted = sys.argv[1:4]
    bench = Bench(program, mpiexec)
    listed = json.loads(bench.run(0, "list", "--json")[1])
    types = {row["name"]: row["dtypes"] for row in listed["operations"]}
    bench.check(len(types["broadcast"]) == 7 and types["affine"] == ["f32", "f64"], f"types: {types}")
    outputs = [check(bench, ranks, with_persistent(cases, types)) for ranks, cases in CASES]
    for ranks in (1, 2, 3, 5, 8) if ALL else (1, 2, 3):
        sizes = sorted({0, 4, 4 * (ranks - 1), 4 * ranks, 4 * (ranks + 1), 4 * 127})
        outputs.append(check(bench, ranks, [*with_persistent(EVERYWHERE, types), "--sizes", ",".join(f"{n}B" for n in sizes)]))
    outputs.append(check(bench, 3, [*every_type(with_persistent(EVERYWHERE, types), types), "--sizes", "1016B"]))
    check_persistent(bench, types, listed["build"]["mpi"], outputs)
    for ranks in (2, 3, 4, 5, 8) if ALL else (2, 3, 4):  # messages in rounds, in halves, along a random cycle; 0 entries, and some ranks idle
        rounds = ranks - 1 if ranks % 2 == 0 else ranks
        check(bench, ranks, [*(f"machine:pairs shape=N round={k}" for k in range(1, rounds + 1)), "machine:bisection shape=N",
                             "machine:permutation shape=N", "machine:permutation shape=N busy=2 dtype=f64",
                             "machine:pairs shape=N busy=2 round=1", "--sizes", "0B,308B"])
    for ranks, word in ((4, "4"), (5, "6"), (4, "0"), (4, "R")):
        status, output, ours = bench.run(ranks, "check", f"machine:pairs shape=7 round={word}")
        bench.check(status == 2 and len(ours) == 1 and "round" in ours[0], f"round {word} of {ranks} ranks: {status} {ours}")
    output = check(bench, 5, ["broadcast shape=77 from=1 to=Pc", "--ranks", "1,2,5"])
    bench.check(all(f"P={p} " in output for p in (1, 2, 5)), "check --ranks")

    bench.program = planted
    words = ["raw:MPI_Bcast shape=100 from=1 to=Pc"]
    check(bench, 3, words)
    status, output, _ = bench.run(3, "check", *words, PLANT="flip")
    bench.check(status == 1 and "WRONG" in output, f"a wrong broadcast: {status} {output}")
    status, output, ours = bench.run(3, "time", *words, "--output", "flip", "--max-reps", "6", PLANT="flip")
    row = bench.rows("flip")[0]
    bench.check(status == 1 and row["status"] == "wrong" and int(row["wrong"]) > 0, f"time, wrong: {status} {row}")
    status, output, _ = bench.run(3, "check", "raw:MPI_Barrier grid=Pc", PLANT="open")
    bench.check(status == 1 and "WRONG" in output, f"a barrier that holds nobody: {status} {output}")
    status, output, ours = bench.run(3, "time", *words, "--output", "late", "--max-reps", "12", PLANT="late")
    row = bench.rows("late")[0]
    bench.check(status == 0 and row["slowest_rank"] == "2", f"time, late: {status} {row}")
    bench.end()


main()
