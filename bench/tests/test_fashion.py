"""test_fashion.py TGBENCH MPIEXEC: LeNet-5 learns real images, 4,000 of Fashion-MNIST and 1,000 to test, in the paper's layout on 4 ranks and on
one: the first 20 losses are the same to 1e-4 of their size, and most of the test images are classified right."""
import gzip
import pathlib
import struct
import sys

from launch import Bench

SOURCE = pathlib.Path("/usr/share/datasets/fashion-mnist")  # of the package dataset-fashion-mnist
TRAIN, TEST, BATCH, EPOCHS, SAME = 4000, 1000, 50, 2, 20
CLASSES, LEAST_ACCURACY, GAP = 10, 0.6, 1e-4


def cut(name, axes, count, folder):
    """The first entries of an IDX file."""
    with gzip.open(SOURCE / f"{name}.gz") as file:
        head = file.read(4 + 4 * axes)
        extents = struct.unpack(f">{axes}I", head[4:])
        size = 1
        for extent in extents[1:]:
            size *= extent
        (folder / name).write_bytes(head[:4] + struct.pack(f">{axes}I", count, *extents[1:]) + file.read(count * size))


def train(bench, network, ranks):
    """Returns the losses of all steps, and the last accuracy."""
    folder = f"of-{ranks}"
    status, _, ours = bench.run(ranks, "train", network, "--data", "data", "--batch", str(BATCH), "--epochs", str(EPOCHS), "--output", folder)
    bench.check(status == 0 and not ours, f"{network} on {ranks}: status {status}, {ours}")
    rows = bench.rows(folder, "training")
    losses = [float(row["loss"]) for row in rows if row["loss"]]
    bench.check(len(losses) == EPOCHS * (TRAIN // BATCH), f"{len(losses)} steps on {ranks}")
    return losses, float([row["test_accuracy"] for row in rows if row["test_accuracy"]][-1])


def main():
    bench = Bench(*sys.argv[1:3])
    data = bench.folder / "data"
    data.mkdir()
    for prefix, count in (("train", TRAIN), ("t10k", TEST)):
        cut(f"{prefix}-images-idx3-ubyte", 3, count, data)
        cut(f"{prefix}-labels-idx1-ubyte", 1, count, data)
    alone, right = train(bench, "lenet5-1", 1)
    together, right_together = train(bench, "lenet5", 4)
    gap = max(abs(a - b) / a for a, b in zip(alone[:SAME], together[:SAME]))
    bench.check(gap <= GAP, f"the first {SAME} losses on 4 ranks differ from those of one by {gap:g} of their size")
    bench.check(alone != together, "the layouts are different ones")
    for ranks, share in ((1, right), (4, right_together)):
        bench.check(share >= LEAST_ACCURACY, f"on {ranks}: {share} of the test images are right; by chance {1 / CLASSES}")
    bench.end()


main()
