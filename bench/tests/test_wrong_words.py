"""test_wrong_words.py TGBENCH MPIEXEC: wrong words give exit status 2, one line that names them, and no file; a program that
is alone under a launcher that promised more refuses to run; a dry run and a list need no launcher."""
import json
import sys

from launch import Bench, cells_file

GOOD = "broadcast shape=8 from=1 to=Pc"

# words, and what the line must name
WRONG = [
    ([], "verb"),
    (["frobnicate"], "frobnicate"),
    (["list", "--yaml"], "--yaml"),
    (["list", "all"], "all"),
    (["check"], "case"),
    (["check", GOOD, "--ranks", "9"], "9"),
    (["time"], "case"),
    (["time", ""], "empty"),
    (["time", "shape=8"], "shape=8"),
    (["time", GOOD, "--sizes"], "--sizes"),
    (["time", GOOD, "--sizez", "8B"], "--sizez"),
    (["time", "teleport shape=8"], "teleport"),
    (["time", "broadcast shape=8 colour=red"], "colour"),
    (["time", "broadcast from=1 to=1"], "shape"),
    (["time", "broadcast shape=8 shape=8"], "twice"),
    (["time", "broadcast shape"], "shape"),
    (["time", "broadcast shape=0x from=1 to=1"], "0x"),
    (["time", "broadcast shape=-8 from=1 to=1"], "-8"),
    (["time", "broadcast shape=8 from=1 to=99c"], "99"),
    (["time", "broadcast shape=8x8 from=1 to=1c"], "from=1"),
    (["time", "broadcast shape=8 from=2c to=1"], "2c"),
    (["time", "broadcast shape=8 from=1 to=1 from-ranks=7"], "from-ranks"),
    (["time", "broadcast shape=8 from=1 to=1 from-ranks=x"], "from-ranks=x"),
    (["time", "broadcast shape=8 from=1 to=1 to-order=7"], "to-order=7"),
    (["time", "broadcast shape=8 from=1 to=1 from-parts=3"], "from-parts=3"),
    (["time", GOOD + " algorithm=magic"], "magic"),
    (["time", GOOD + " dtype=f99"], "f99"),
    (["time", GOOD + " store-x=nchw9c"], "nchw9c"),
    (["time", GOOD + " in-place=maybe"], "maybe"),
    (["time", GOOD + " in-place=yes accumulate=yes"], "in-place"),
    (["time", "halo shape=8 grid=1 kernel=0"], "kernel"),
    (["time", "halo shape=8 grid=1 kernel=3x3"], "3x3"),
    (["time", "halo shape=8 grid=1 kernel=3x"], "3x"),
    (["time", "halo shape=8 grid=1 kernel=3 periodic=2"], "periodic"),
    (["time", "halo shape=2 grid=1 kernel=9"], "window"),
    (["time", "halo_transposed shape=8 grid=1 kernel=3 ceil=yes"], "ceil=yes"),
    (["time", "halo_transposed shape=2 grid=1 padding=3"], "padding=3"),
    (["time", "halo_upsample shape=8 grid=1 kernel=4 stride=2"], "kernel=4"),
    (["time", "halo_upsample shape=8 grid=1 padding=1"], "padding=1"),
    (["time", "halo_upsample shape=8 grid=1 dilation=2"], "dilation=2"),
    (["time", "move shape=3x8 grid=1x1"], "shape=3x8"),
    (["time", "move shape=2x8 grid=1x1c algorithm=mpi"], "algorithm=mpi"),
    (["time", "allocate shape=2x8"], "shape=2x8"),
    (["time", "affine batch=2 features=8 grid=1x1"], "features=8"),
    (["time", "affine batch=2 features=8:8 grid=1x1c"], "1x1c"),
    (["time", "affine batch=2 features=8:8 grid=1x1 dtype=i32"], "i32"),
    (["time", "affine batch=2 features=8:8 grid=1x1 dtype=f16"], "expected f32, f64"),
    (["time", "affine batch=64 features=1024:N grid=1x1", "--sizes", "8B"], "size"),
    (["time", "affine batch=2 features=8:8 parts-batch=0"], "parts-batch=0"),
    (["time", "affine batch=2 features=8:8 parts-batch=9"], "parts-batch=9"),
    (["time", "affine batch=2 features=8:8 split=batch"], "split=batch"),
    (["time", "affine_sharded batch=2 features=8:8 split=rows"], "rows"),
    (["time", "affine_sharded batch=2 features=8:8 parts-batch=2"], "parts-batch=2"),
    (["time", "batch_norm shape=8"], "shape=8"),
    (["time", "batch_norm shape=8x4 eps=0"], "eps=0"),
    (["time", "batch_norm shape=8x4 momentum=2"], "momentum=2"),
    (["time", "batch_norm shape=8x4 mode=testing"], "mode=testing"),
    (["time", "layer_norm shape=8x4 axes=3"], "axes=3"),
    (["time", "layer_norm shape=8x4 scale-shift=maybe"], "scale-shift=maybe"),
    (["time", "mse shape=8x0"], "shape=8x0"),
    (["time", "broadcast shape=N from=1 to=1"], "--sizes"),
    (["time", GOOD, "--sizes", "12Q"], "12Q"),
    (["time", GOOD, "--sizes", "1KiB:16MiB:x1"], "x1"),
    (["time", GOOD, "--ranks", "0"], "--ranks"),
    (["time", GOOD, "--ranks", "two"], "two"),
    (["time", GOOD, "--ranks", "9"], "9"),
    (["time", GOOD, "--direction", "sideways"], "sideways"),
    (["time", "raw:memcpy shape=8", "--direction", "adjoint"], "adjoint"),
    (["time", "raw:MPI_Scatterv shape=8x8 from=1x1 to=1x2", "--dry-run", "--ranks", "2"], "axis 1"),
    (["time", "raw:MPI_Gatherv shape=8x8 from=2x2 to=1x1", "--dry-run", "--ranks", "4"], "axis 1"),
    (["time", "raw:MPI_Allgatherv shape=8 from=2 to=2c to-ranks=1-2", "--dry-run", "--ranks", "3"], "rank 2"),
    (["time", "raw:MPI_Reduce_scatter shape=8x8 from=2x2c to=2x2", "--dry-run", "--ranks", "4"], "axis"),
    (["time", "raw:halo_messages shape=8 from=1 to=1"], "from"),
    (["time", "raw:MPI_Allgather shape=7 from=P to=Pc", "--dry-run", "--ranks", "2"], "equal parts"),
    (["time", "raw:MPI_Reduce_scatter_block shape=8 from=2c to=2 to-parts=3+5", "--dry-run", "--ranks", "2"], "equal parts"),
    (["time", "raw:MPI_Alltoall shape=4x5 from=Px1 to=1xP", "--dry-run", "--ranks", "2"], "equal parts"),
    (["time", "raw:MPI_Alltoall shape=4x4 from=2x2 to=1x4", "--dry-run", "--ranks", "4"], "both cut axis 1"),
    (["time", "raw:MPI_Alltoall shape=4x4 from=2x1 to=1x4", "--dry-run", "--ranks", "4"], "2 ranks and to has 4"),
    (["time", "raw:MPI_Alltoall shape=4x4 from=2x1 to=1x2 to-ranks=1-2", "--dry-run", "--ranks", "3"], "rank 0"),
    (["time", "raw:MPI_Alltoall shape=4x4 from=2cx2 to=4x1", "--dry-run", "--ranks", "4"], "copies"),
    (["time", "raw:MPI_Scan shape=8 from=1 to=1"], "from"),
    (["time", "raw:MPI_Barrier shape=8 grid=1c"], "shape"),
    (["time", "raw:MPI_Sendrecv_init shape=8 from-ranks=0 to-ranks=0"], "raw:MPI_Sendrecv_init"),
    (["time", GOOD, "--dtype", "f32,f99"], "f99"),
    (["time", GOOD, "--algorithm", "mpi,magic"], "magic"),
    (["time", GOOD, "--scaling", "upwards"], "upwards"),
    (["time", GOOD, "--budget", "soon"], "soon"),
    (["time", GOOD, "--ci", "5"], "--ci"),
    (["time", GOOD, "--min-reps", "0"], "--min-reps"),
    (["time", GOOD, "--min-reps", "9", "--max-reps", "8"], "--min-reps"),
    (["time", GOOD, "--seed", "x"], "--seed"),
    (["time", GOOD, "--json"], "--json"),
    (["time", GOOD, "--launch", "-1"], "--launch"),
    (["time", GOOD, "--cells", "plan.tsv"], "--cells"),
    (["time", "--cells", "no-such-file"], "no-such-file"),
    (["time", "--cells", "no-header.tsv"], "no-header.tsv line 1"),
    (["time", "--cells", "bad-line.tsv"], "bad-line.tsv line 3"),
    (["time", "--cells", "other-ranks.tsv"], "other-ranks.tsv"),
    (["time", GOOD, "--sync", "magic"], "--sync 'magic' is unknown; expected barrier, window, round-time"),
    (["time", GOOD, "--cache", "hot"], "--cache 'hot' is unknown; expected warm or cold"),
    (["time", GOOD, "--raw", "some", "--output", "raw"], "--raw 'some' is unknown; expected all"),
    (["time", GOOD, "--raw", "all"], "--raw all without --output"),
    (["time", GOOD, "--output", "file/below"], "file/below"),
    (["time", GOOD, "--output", "file"], "file"),
    (["time", GOOD, "--output", "no/such/parent"], "no/such/parent"),
    (["time", GOOD, "--output", "other-columns"], "cells.csv"),
    (["time", GOOD + " store-x=nchw8c"], "store-x=nchw8c"),
    (["time", GOOD + " store-y=row:1x1"], "store-y=row:1x1"),
    (["time", GOOD + " in-place=yes store-y=row:1"], "store-y"),
    (["time", "convolution batch=1 channels=2:2 space=4x4x4x4 kernel=3"], "space"),
    (["time", "convolution batch=1 channels=2:2 space=4 kernel=9"], "window"),
    (["time", "convolution batch=1 channels=2:3 space=4 kernel=3 groups=2"], "groups=2"),
    (["time", "convolution batch=1 channels=2:2 space=4 kernel=3 parts-out=9"], "parts-out=9"),
    (["time", "convolution batch=1 channels=2:2 space=4 kernel=3 kernels=magic"], "kernels=magic"),
    (["time", "convolution batch=1 channels=2:2 space=4 kernel=3 grid=1x1x1c"], "grid=1x1x1c"),
    (["time", "max_pool shape=2x2 kernel=2"], "shape=2x2"),
    (["time", "max_pool shape=2x2x8 kernel=2 padding=2"], "padding"),
    (["time", "flatten shape=2x2x8 to=1x1c"], "to=1x1c"),
    (["time", "cross_entropy shape=8"], "shape=8"),
    (["time", "relu shape=8 algorithm=tree"], "algorithm=tree"),
    (["train"], "network"),
]

ALONE = [
    {"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "0"},
    {"PMI_SIZE": "4", "PMI_RANK": "0"},
    {"SLURM_NTASKS": "4", "SLURM_STEP_ID": "0", "SLURM_PROCID": "0"},
]


def prepare(bench):
    (bench.folder / "file").write_text("a regular file\n", encoding="ascii")
    (bench.folder / "no-header.tsv").write_text("0\t1\t1\tsize\tforward\t8\tbroadcast shape=8\n", encoding="ascii")
    good = (0, 1, 1, "size", "forward", "", "broadcast shape=8 from=1 to=Pc")
    cells_file(bench.folder / "bad-line.tsv", [good, (0, 2, 1, "size", "forward", "", "broadcast shape=0x")])
    cells_file(bench.folder / "other-ranks.tsv", [(0, 1, 77, "size", "forward", "", "broadcast shape=8")])
    (bench.folder / "other-columns").mkdir()
    (bench.folder / "other-columns" / "cells.csv").write_text("colour,taste\n", encoding="ascii")


def files_of(bench):
    return {str(path): path.read_text() if path.is_file() else None for path in bench.folder.rglob("*")}


def check_wrong(bench, ranks, words, name):
    before = files_of(bench)
    status, output, ours = bench.run(ranks, *words)
    what = f"{ranks} ranks: {words}: status {status}, {ours}, {output!r}"
    bench.check(status == 2, what)
    bench.check(len(ours) == 1 and ours[0].startswith("tgbench: ") and name in ours[0], what)
    bench.check(output == "", what)
    bench.check(files_of(bench) == before, f"{words} wrote a file")


def check_alone(bench):
    for environment in ALONE:
        status, output, ours = bench.run(0, "time", GOOD, "--output", "alone", **environment)
        bench.check(status == 2 and len(ours) == 1 and "promised 4" in ours[0] and not output,
                    f"alone, {environment}: {status} {ours}")
        bench.check(not (bench.folder / "alone").exists(), "alone: wrote a folder")
    other = {"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "3"}
    status, output, ours = bench.run(0, "time", GOOD, **other)
    bench.check(status == 2 and not ours and not output, f"alone, not the first: {status} {ours}")
    status, output, ours = bench.run(0, "check", GOOD, SLURM_NTASKS="4")
    bench.check(status == 0 and not ours, f"a batch script is no step: {status} {ours}")


def check_plain(bench):
    status, output, ours = bench.run(0, "list", "--json")
    rows = json.loads(output)["operations"]
    bench.check(status == 0 and not ours and len(rows) > 6, "list --json")
    for row in rows:
        keys = {"name", "kind", "directions", "algorithms", "lacking", "dtypes", "kernels", "keys", "formula", "adjoint", "source", "summary",
                "weights"}
        known = row["algorithms"] if row["kind"] == "primitive" else []  # what is told of its algorithms' messages
        bench.check(list(row["weights"]) == known, f"weights of {row['name']}: {row['weights']}")
        has_kernels = "kernels" in [key["key"] for key in row["keys"]]
        bench.check(row["kernels"][:1] == ["auto"] * has_kernels, f"kernels of {row['name']}: {row['kernels']}")
        bench.check(set(row) == keys and row["directions"] and row["algorithms"] and row["dtypes"], f"list: {row}")
    status, output, ours = bench.run(0, "time", "broadcast shape=N from=1 to=Pc", "--sizes", "8B,1KiB", "--ranks",
                                     "1,4096", "--dry-run", "--json", "--output", "dry")
    cells = json.loads(output)
    bench.check(status == 0 and not ours and len(cells) == 8, f"dry run: {status} {output}")
    bench.check({c["ranks"] for c in cells} == {1, 4096} and {c["size_bytes"] for c in cells} == {8, 1024}, "dry run")
    bench.check(not (bench.folder / "dry").exists(), "a dry run wrote a folder")
    for words in (["--help"], ["--version"], ["time", "--help"], ["check", "--help"], ["list", "--markdown"]):
        status, output, ours = bench.run(0, *words)
        bench.check(status == 0 and output and not ours, f"{words}: {status}")


NUMBERS = ["", "-1", "+1", "x", "3x", "x3", "3xx3", "1x1x1", "1.5", "99999999999", "three"]
SWITCHES = ["", "2", "maybe", "Yes", "1x", "0x2", "1x1x1", "-1"]
BAD_VALUES = {
    "kernel": [*NUMBERS, "0", "3x0"], "stride": [*NUMBERS, "0", "0x1"], "dilation": [*NUMBERS, "0"], "padding": NUMBERS,
    "periodic": SWITCHES, "ceil": SWITCHES, "dtype": ["", "F32"], "algorithm": ["magic"], "in-place": ["1"],
    "accumulate": ["maybe"], "partitions": ["", "-1", "x", "2x2", "1.5", "0", "65537"], "store-y": ["ROW", "row;1"],
    "store-x": ["", "nchw9c", "row:", "row:x", "row:-1", "row:1:1:1", "row:99999999999"],
}


def check_refused(bench, case, named):
    status, output, ours = bench.run(0, "time", case, "--ranks", "4", "--dry-run")
    bench.check(status == 2 and len(ours) == 1 and ours[0].startswith("tgbench: ") and named in ours[0] and not output,
                f"{case}: must name {named}: status {status}, {ours}")


def check_every_key(bench):
    """Each key of each primitive that is no word of a layout, with values that it cannot have: the line names both. The
    words of layouts are gone through in primitives/tests/test_errors.c."""
    keys = 0
    for row in json.loads(bench.run(0, "list", "--json")[1])["operations"]:
        if row["kind"] != "primitive":
            continue
        bases = [f"{row['name']} shape={shape}" for shape in ("6x5", "2x5", "1x5")]
        good = [base for base in bases if bench.run(0, "time", base, "--ranks", "4", "--dry-run")[0] == 0]
        bench.check(good, f"{row['name']}: none of {bases} is a case")
        for key in row["keys"]:
            for value in BAD_VALUES.get(key["key"], []):
                keys += 1
                check_refused(bench, f"{good[0]} {key['key']}={value}", f"{key['key']}={value}")
        check_refused(bench, f"{good[0]} colour=red", "colour=red")
        check_refused(bench, f"{good[0]} dtype=f32 dtype=f64", "dtype=f64")
        check_refused(bench, f"{good[0]} in-place=yes accumulate=yes", "in-place=yes accumulate=yes")
    bench.check(keys > 250, f"only {keys} wrong values")


def main():
    bench = Bench(*sys.argv[1:3])
    prepare(bench)
    for words, name in WRONG:
        check_wrong(bench, 0, words, name)
    for words, name in WRONG[::9]:
        check_wrong(bench, 3, words, name)
    check_wrong(bench, 3, ["time", GOOD, "--output", "file/below"], "file/below")
    check_every_key(bench)
    check_alone(bench)
    check_plain(bench)
    bench.end()


main()
