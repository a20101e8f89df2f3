"""test_sizes.py TGBENCH MPIEXEC: what --sizes makes of N, and the canonical text of a case, by dry runs."""
import json
import sys

from launch import Bench

# words; the shapes (or features) that they must give, in the order of the cells
SIZES = [
    (["broadcast shape=N from=1 to=Pc", "--sizes", "0B,3B,4B,1001B"], ["0", "0", "1", "250"]),
    (["broadcast shape=N from=1 to=Pc dtype=f64", "--sizes", "1001B"], ["125"]),
    (["broadcast shape=NxN from=1x1 to=1xPc", "--sizes", "1000B"], ["15x15"]),
    (["broadcast shape=Nx3 from=1x1 to=1xPc", "--sizes", "1KiB:16KiB:x4"], ["85x3", "341x3", "1365x3"]),
    (["repartition shape=NxN from=Px1 to=1xP", "--ranks", "1,2,3,4", "--sizes", "64KiB", "--scaling", "weak"],
     ["128x128", "180x180", "221x221", "256x256"]),
    (["repartition shape=NxN from=Px1 to=1xP", "--ranks", "1,2,3,4", "--sizes", "64KiB", "--scaling", "strong"],
     ["128x128"] * 4),
    (["all_sum_reduce shape=N grid=Pc", "--ranks", "1,4096", "--sizes", "4KiB", "--scaling", "weak"], ["1024", "1024"]),
    (["halo shape=NxN grid=Px1 kernel=3x3 padding=1x1", "--ranks", "1,2", "--sizes", "64KiB", "--scaling", "weak"],
     ["128x128", "180x180"]),
    (["affine batch=64 features=1024:N grid=Px1", "--ranks", "1,2,4", "--sizes", "1MiB", "--scaling", "weak"],
     ["1024:180", "1024:360", "1024:720"]),
    # Equal blocks: N is a multiple of the parts of each axis that it is the extent of.
    (["raw:MPI_Allgather shape=N from=P to=Pc", "--ranks", "1,2,3,4,5", "--sizes", "1001B"], ["250", "250", "249", "248", "250"]),
    (["raw:MPI_Alltoall shape=NxN from=Px1 to=1xP", "--ranks", "3,4", "--sizes", "1000B"], ["15x15", "12x12"]),
    (["raw:MPI_Alltoall shape=NxN from=2x1 to=1xP to-ranks=1,0", "--ranks", "2", "--sizes", "1000B"], ["14x14"]),
    (["raw:MPI_Allgather shape=3xN from=Px1 to=Pcx1", "--ranks", "3", "--sizes", "4B,84B"], ["3x0", "3x7"]),
    (["raw:MPI_Reduce_scatter_block shape=N from=Pc to=P", "--ranks", "2,3", "--sizes", "64B", "--scaling", "weak"],
     ["16", "15"]),
    (["affine batch=N features=8:8 grid=1xP", "--ranks", "1,2", "--sizes", "1KiB", "--scaling", "strong"],
     ["8:8", "8:8"]),
]

CANONICAL = [
    ("broadcast shape=2 from=1 to=4c",
     "broadcast shape=2 from=1 to=4c from-ranks=0 to-ranks=0-3 from-order=0 to-order=0 from-parts=* to-parts=* "
     "dtype=f32 algorithm=mpi in-place=no accumulate=no store-x=row store-y=row"),
    ("halo kernel=5x3 shape=1x8x9x9 grid=1x1x2x2 padding=1 algorithm=p2p periodic=0x1",
     "halo shape=1x8x9x9 grid=1x1x2x2 ranks=0-3 order=0123 parts=*x*x*x* kernel=1x1x5x3 stride=1x1x1x1 "
     "padding=0x0x0x1 dilation=1x1x1x1 periodic=0x0x0x1 ceil=no dtype=f32 algorithm=p2p in-place=no accumulate=no "
     "store-x=row store-y=row"),
    ("affine features=8:6 batch=4 grid=2x2 ranks=3,2,1,0",
     "affine batch=4 features=8:6 grid=2x2 parts-batch=1 ranks=3-0:-1 from-ranks=3-2:-1 to-ranks=3,1 bias=yes kernels=auto "
     "dtype=f32 algorithm=mpi"),
    ("raw:MPI_Barrier", "raw:MPI_Barrier grid=4c ranks=0-3 order=0 dtype=f32 algorithm=mpi"),
    ("raw:MPI_Barrier grid=2x2c ranks=3,0,1,2", "raw:MPI_Barrier grid=2x2c ranks=3,0-2 order=01 dtype=f32 algorithm=mpi"),
    ("raw:memcpy shape=5x5 dtype=i32", "raw:memcpy shape=5x5 dtype=i32 algorithm=mpi"),
]


def cells_of(bench, words):
    status, output, ours = bench.run(0, "time", *words, "--dry-run", "--json")
    bench.check(status == 0 and not ours, f"{words}: {status} {ours}")
    return json.loads(output) if status == 0 else []


def word(case, key):
    return dict(item.split("=", 1) for item in case.split(" ")[1:]).get(key)


def main():
    bench = Bench(*sys.argv[1:3])
    for words, expected in SIZES:
        cells = cells_of(bench, [*words, "--direction", "forward"])
        found = [word(c["case"], "shape") or word(c["case"], "features") for c in cells]
        bench.check(found == expected, f"{words}: {found}; expected {expected}")
        size = max(c["held_bytes"] if c["scaling"] == "weak" else c["size_bytes"] for c in cells)
        bench.check(size > 0, f"{words}: {size} bytes")
    for text, expected in CANONICAL:
        for case in (text, expected):
            cells = cells_of(bench, [case, "--ranks", "4"])
            bench.check(all(c["case"] == expected for c in cells) and cells, f"{case}: {[c['case'] for c in cells]}")
    bench.end()


main()
