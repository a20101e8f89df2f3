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
         "raw:halo_messages shape=1x8x32x32 grid=1x1x5x1 kernel=5x5 padding=2x2"]),
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
    "raw:MPI_Sendrecv shape=N from-ranks=0 to-ranks=0",
    "machine:quantum shape=N",
    "chain:scatter+all_gather shape=N from=1 to=Pc", "chain:sum_reduce+broadcast shape=N grid=Pc",
    "chain:reduce_scatter+all_gather shape=N grid=Pc", "chain:gather+scatter shape=Nx3 from=Px1 to=1xP",
]


def check(bench, ranks, words, expected=0):
    status, output, ours = bench.run(ranks, "check", *words)
    last = output.splitlines()[-1] if output else ""
    checked = int(last.split()[0]) if last else 0
    bench.check(status == expected and checked >= len(words), f"{ranks} ranks: {words}: {status} {ours}\n{output}")
    return output


def every_type(bench):
    """The cases of EVERYWHERE in each element type that `list` names for their operation."""
    _, output, _ = bench.run(0, "list", "--json")
    types = {row["name"]: row["dtypes"] for row in json.loads(output)["operations"]}
    bench.check(len(types["broadcast"]) == 7 and types["affine"] == ["f32", "f64"], f"types: {types}")
    return [f"{case} dtype={name}" for case in EVERYWHERE if "dtype=" not in case for name in types[case.split()[0]]]


def main():
    program, mpiexec, planted = sys.argv[1:4]
    bench = Bench(program, mpiexec)
    for ranks, cases in CASES:
        check(bench, ranks, cases)
    for ranks in (1, 2, 3, 5, 8) if ALL else (1, 2, 3):
        sizes = sorted({0, 4, 4 * (ranks - 1), 4 * ranks, 4 * (ranks + 1), 4 * 127})
        check(bench, ranks, [*EVERYWHERE, "--sizes", ",".join(f"{n}B" for n in sizes)])
    check(bench, 3, [*every_type(bench), "--sizes", "1016B"])
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
    status, output, ours = bench.run(3, "time", *words, "--output", "late", "--max-reps", "12", PLANT="late")
    row = bench.rows("late")[0]
    bench.check(status == 0 and row["slowest_rank"] == "2", f"time, late: {status} {row}")
    bench.end()


main()
