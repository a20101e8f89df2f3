"""test_train.py TGBENCH MPIEXEC NETWORKS: LeNet-5 learns images that this test draws. The losses at 1, 3 and 4 ranks are the
same to 1e-4, the parameters are dealt out as in the paper, most test images are classified right, a run goes on behind a
checkpoint at any rank count, and files or words that are wrong give exit status 2 and one line, with nothing overwritten."""
import gzip
import pathlib
import random
import re
import struct
import sys

from launch import Bench

TRAIN, TEST, SIDE, BATCH = 1200, 203, 28, 64  # the test images do not fill their last batch
WORDS = ["--data", "data", "--batch", str(BATCH), "--rate", "0.02"]


def idx(extents, entries, kind=8):
    return struct.pack(">BBBB", 0, 0, kind, len(extents)) + struct.pack(f">{len(extents)}I", *extents) + bytes(entries)


def draw(count, source):
    """Images with a bright square whose place is their class, and noise."""
    labels = [source.randrange(10) for _ in range(count)]
    images = bytearray()
    for label in labels:
        image = bytearray(source.randrange(60) for _ in range(SIDE * SIDE))
        for row in range(5):
            begin = (4 + 11 * (label // 5) + row) * SIDE + 1 + 5 * (label % 5)
            image[begin:begin + 5] = bytes([source.randrange(180, 256) for _ in range(5)])
        images += image
    return images, labels


def make_data(folder):
    folder.mkdir()
    source = random.Random(7)
    for prefix, count, name in (("train", TRAIN, "{}"), ("t10k", TEST, "{}.gz")):
        images, labels = draw(count, source)
        for what, data in (("images-idx3", idx([count, SIDE, SIDE], images)), ("labels-idx1", idx([count], labels))):
            path = folder / name.format(f"{prefix}-{what}-ubyte")
            path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)


def check_network(bench, network, ranks, most):
    """Returns the losses of the first 20 steps."""
    folder = f"of-{ranks}-{pathlib.Path(network).stem}"
    status, output, ours = bench.run(ranks, "train", network, *WORDS, "--epochs", "3", "--output", folder)
    bench.check(status == 0 and not ours, f"{network} on {ranks}: status {status}, {ours}")
    bench.check(f"61706 parameters, {most} on the rank with most" in output, output)
    rows = bench.rows(folder, "training")
    steps = [row for row in rows if row["loss"]]
    epochs = [row for row in rows if row["test_accuracy"]]
    bench.check(len(steps) == 3 * (TRAIN // BATCH) and len(epochs) == 3, f"{len(steps)} steps, {len(epochs)} epochs")
    bench.check([row["step"] for row in steps] == [str(i + 1) for i in range(len(steps))], "steps are counted")
    bench.check(float(epochs[-1]["test_accuracy"]) > 0.9, f"accuracy {epochs[-1]['test_accuracy']} on {ranks}")
    bench.check(abs(float(epochs[-1]["test_accuracy"]) * TEST - round(float(epochs[-1]["test_accuracy"]) * TEST)) < 1e-2,
                "the share is of all test images, and of no others")
    bench.check(re.search(r"epoch 3/3  loss [\d.]+  test accuracy [\d.]+ %", output), output)
    losses = [float(row["loss"]) for row in steps]
    bench.check(max(losses[-TRAIN // BATCH:]) < 0.5 * losses[0], f"the loss went from {losses[0]} to {losses[-1]}")
    return losses[:20]


def check_same_losses(bench, networks):
    alone = check_network(bench, str(networks / "lenet5-1.txt"), 1, 61706)
    for ranks, name, most in ((3, "lenet5-batch.txt", None), (3, "lenet5-data.txt", 61706), (4, "lenet5.txt", 17409)):
        # features over 3 ranks: rank 0 has the other layers and a third of 400 x 120, and the bias
        most = most or 61706 - 48000 + 120 * 134
        losses = check_network(bench, str(networks / name), ranks, most)
        gap = max(abs(a - b) for a, b in zip(alone, losses))
        bench.check(gap < 1e-4, f"losses of {name} differ from those of one rank by {gap}")
    rows = train_to(bench, 1, str(networks / "lenet5-1.txt"), "openblas", "--steps", "20", "--kernels", "openblas")
    losses = [float(row[2]) for row in rows if row[2]]
    gap = max(abs(a - b) for a, b in zip(alone, losses))
    bench.check(len(losses) == 20 and gap < 1e-4, f"{len(losses)} losses with another library differ by {gap}")


def train_to(bench, ranks, network, folder, *words):
    """Returns training.csv without its rates."""
    status, _, ours = bench.run(ranks, "train", network, *WORDS, "--deterministic", "--output", folder, *words)
    bench.check(status == 0 and not ours, f"{network} on {ranks}, {words}: status {status}, {ours}")
    return [(row["step"], row["epoch"], row["loss"], row["test_accuracy"]) for row in bench.rows(folder, "training")]


def check_checkpoints(bench):
    """24 steps at once, and 10 of them, then the rest."""
    whole = train_to(bench, 3, "lenet5-batch", "whole", "--steps", "24", "--optimizer", "adam", "--checkpoint", "whole.c")
    again = train_to(bench, 3, "lenet5-batch", "again", "--steps", "24", "--optimizer", "adam", "--checkpoint", "again.c")
    bench.check(whole == again and whole, "--deterministic repeats bit for bit")
    bench.check((bench.folder / "whole.c").read_bytes() == (bench.folder / "again.c").read_bytes(), "so do the checkpoints")
    part = train_to(bench, 3, "lenet5-batch", "part", "--steps", "10", "--optimizer", "adam", "--checkpoint", "part.c")
    bench.check(len(part) == 11 and not (bench.folder / "part.c.new").exists(), f"{len(part)} rows of 10 steps and a test")
    (bench.folder / "other").mkdir()
    for folder in ("part", "other"):  # rows behind the checkpoint are made again
        rows = (bench.folder / "part" / "training.csv").read_text()
        (bench.folder / folder / "training.csv").write_text(rows + "11,1,9.9,1.0,\n12,1,9")
    rest = train_to(bench, 3, "lenet5-batch", "part", "--steps", "24", "--resume", "part.c", "--checkpoint", "part2.c")
    losses = [row for row in rest if row[2]]
    bench.check(losses == [row for row in whole if row[2]], "a run that goes on is the whole one, bit for bit")
    bench.check((bench.folder / "part2.c").read_bytes() == (bench.folder / "whole.c").read_bytes(), "to the last state")
    other = [row for row in train_to(bench, 4, "lenet5", "other", "--steps", "24", "--resume", "part.c") if row[2]]
    gap = max(abs(float(a[2]) - float(b[2])) for a, b in zip(losses, other))
    bench.check(len(other) == 24 and gap < 1e-3, f"on 4 ranks of another layout the losses differ by {gap}")


# Normalised over the batch, which is dealt out.
NORMED = """flatten shape=Nx1x28x28 from=Px1x1x1 to=Px1
batch_norm shape=Nx784 grid=Px1
affine batch=N features=784:10 parts-batch=P
cross_entropy shape=Nx10 grid=Px1
"""


def tensor_of(path, words):
    """Numbers of a tensor of f32 in a checkpoint."""
    data = path.read_bytes()
    line = next(line for line in data.split(b"\n") if line.startswith(words))
    at, count = data.index(line) + len(line) + 1, int(line.split()[-1])
    return struct.unpack(f"<{count}f", data[at:at + 4 * count])


def one_image_data(folder, data, image):
    """The training images, and a test set of one of them, again and again."""
    folder.mkdir()
    for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"):
        (folder / name).write_bytes((data / name).read_bytes())
    images, labels = ((data / f"train-{what}-ubyte").read_bytes() for what in ("images-idx3", "labels-idx1"))
    begin, size = 16 + image * SIDE * SIDE, SIDE * SIDE
    (folder / "t10k-images-idx3-ubyte").write_bytes(idx([TEST, SIDE, SIDE], TEST * images[begin:begin + size]))
    (folder / "t10k-labels-idx1-ubyte").write_bytes(idx([TEST], TEST * labels[8 + image:9 + image]))


def check_running_statistics(bench):
    """batch_norm: what it keeps is in checkpoints, is used to classify test images, and does not change by that."""
    data = bench.folder / "data"
    (bench.folder / "normed.txt").write_text(NORMED, encoding="ascii")
    labels = (data / "train-labels-idx1-ubyte").read_bytes()[8:]
    kept = set()
    for label in range(2):  # with the statistics of such a batch itself both would get one and the same class
        one_image_data(bench.folder / f"one-{label}", data, labels.index(label))
        status, _, ours = bench.run(2, "train", "normed.txt", *WORDS[2:], "--data", f"one-{label}", "--epochs", "4", "--output",
                                    f"normed-{label}", "--checkpoint", f"normed-{label}.c")
        bench.check(status == 0 and not ours, f"batch_norm: status {status}, {ours}")
        accuracy = [row["test_accuracy"] for row in bench.rows(f"normed-{label}", "training") if row["test_accuracy"]][-1]
        bench.check(float(accuracy) == 1, f"{accuracy} of the images of class {label} are right")
        kept.add((bench.folder / f"normed-{label}.c").read_bytes())
    bench.check(len(kept) == 1, "test images change nothing that is kept")
    words = ("normed.txt", "--epochs", "5", "--steps", "73")  # one step behind the checkpoint
    train_to(bench, 2, words[0], "normed", *words[1:], "--checkpoint", "normed.c")
    train_to(bench, 2, words[0], "begun", *words[1:-1], "72", "--checkpoint", "begun.c")
    for ranks in (1, 3):
        folder = bench.folder / f"normed-on-{ranks}"
        folder.mkdir()
        (folder / "training.csv").write_bytes((bench.folder / "begun" / "training.csv").read_bytes())
        train_to(bench, ranks, words[0], folder.name, *words[1:], "--resume", "begun.c", "--checkpoint", f"{folder.name}.c")
        for number in (2, 3):  # running mean and variance
            whole, rest = (tensor_of(bench.folder / f"{name}.c", b"tensor 1 batch_norm %d value" % number)
                           for name in ("normed", folder.name))
            bench.check(len(whole) == SIDE * SIDE and len({*whole}) > 100, f"statistics of {len(whole)} features")
            bench.check(max(abs(a - b) for a, b in zip(whole, rest)) < 1e-4, f"tensor {number} goes on on {ranks} ranks")
        shares = [[row["test_accuracy"] for row in bench.rows(name, "training") if row["test_accuracy"]][-1]
                  for name in ("normed", folder.name)]
        bench.check(abs(float(shares[0]) - float(shares[1])) <= 1.5 / TEST and float(shares[0]) > 0.9, f"accuracies {shares}")


def check_wrong_checkpoints(bench):
    good = (bench.folder / "part.c").read_bytes()
    small = pathlib.Path(bench.folder / "small.txt")
    small.write_text("flatten shape=Nx1x28x28 from=Px1x1x1 to=Px1\naffine batch=N features=784:10 grid=1xP\ncross_entropy shape=Nx10\n",
                     encoding="ascii")
    for name, data, words, names in (
            ("absent.c", None, ["lenet5-1"], ["absent.c", "No such"]),
            ("empty.c", b"", ["lenet5-1"], ["empty.c", "checkpoint"]),
            ("other.c", b"something else\n", ["lenet5-1"], ["other.c", "checkpoint"]),
            ("short.c", good[:-1], ["lenet5-1"], ["short.c", "truncated"]),
            ("half.c", good[:len(good) // 2], ["lenet5-1"], ["half.c", "truncated"]),
            ("bit.c", good[:5000] + bytes([good[5000] ^ 4]) + good[5001:], ["lenet5-1"], ["bit.c", "changed"]),
            ("part.c", good, ["small.txt"], ["part.c", "another network"]),
            ("part.c", good, ["lenet5-1", "--seed", "2"], ["--seed 2", "part.c"]),
            ("part.c", good, ["lenet5-1", "--batch", "7"], ["--batch 7", "64"]),
            ("part.c", good, ["lenet5-1", "--optimizer", "sgd"], ["--optimizer sgd", "adam"])):
        if data is not None:
            (bench.folder / name).write_bytes(data)
        check_wrong(bench, [*words, "--data", "data", "--resume", name, "--output", "none"], names)
        bench.check(not (bench.folder / "none").exists(), f"{name}: nothing is written")
    check_wrong(bench, ["lenet5-1", "--data", "data", "--batch", "64", "--steps", "1", "--checkpoint", "no/folder/c"], ["no/folder/c"],
                output=True)


def spoil(bench, name, change):
    """A folder with the data, one file changed (None: removed)."""
    folder = bench.folder / "spoiled"
    folder.mkdir(exist_ok=True)
    for path in (bench.folder / "data").iterdir():
        data = path.read_bytes()
        if path.name == name:
            data = change(data)
        (folder / path.name).unlink(missing_ok=True)
        if data is not None:
            (folder / path.name).write_bytes(data)
    return ["--data", "spoiled"]


def check_wrong(bench, words, names, output=False):
    """output: some may have been printed before."""
    for ranks in (0, 3):
        status, said, ours = bench.run(ranks, "train", *words)
        bench.check(status == 2 and len(ours) == 1 and all(name in ours[0] for name in names) and (output or not said),
                    f"{words} on {ranks}: status {status}, {ours}, {said!r}; expected {names}")


def check_wrong_files(bench, network):
    images, labels = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
    for name, change, names in (
            (images, lambda d: None, [images]),
            (images, lambda d: d[:1000], [images, "984"]),
            (images, lambda d: d[:9], [images, "head"]),
            (images, lambda d: b"", [images, "IDX"]),
            (images, lambda d: d + b"x", [images, "end"]),
            (images, lambda d: b"\0\0\x0d\3" + d[4:], [images, "type 13"]),
            (labels, lambda d: b"\0\0\x08\3" + d[4:], [labels, "3 axes"]),
            (labels, lambda d: idx([TRAIN - 1], d[8:-1]), [str(TRAIN - 1), str(TRAIN)]),
            (labels, lambda d: d[:8] + b"\x0a" + d[9:], ["11"]),
            ("t10k-images-idx3-ubyte.gz", lambda d: d[:len(d) // 2], ["t10k-images"]),
            (images, lambda d: idx([TRAIN, SIDE // 2, 2 * SIDE], d[16:]), ["14 x 56"])):
        check_wrong(bench, [network, *spoil(bench, name, change)], names)


def check_wrong_words(bench, network):
    text = pathlib.Path(network).read_text(encoding="ascii")
    for change, names in (
            (lambda t: "", ["no layer"]),
            (lambda t: t.replace("relu", "telepathy", 1), ["line 3", "telepathy"]),
            (lambda t: t.replace("affine batch=N features=120:84", "affine batch=N features=119:84"), ["line 11", "119", "line 10"]),
            (lambda t: t.replace("kernel=5x5", "kernel=", 1), ["line 2", "kernel="]),
            (lambda t: t.replace("relu shape=N", "relu shape", 1), ["line 3", "shape"]),
            (lambda t: t.replace("relu", "relu shape=3", 1), ["line 3", "twice"]),
            (lambda t: t[:t.index("cross")], ["line 13", "loss"]),
            (lambda t: t.replace("relu shape=Nx120", "relu dtype=f64 shape=Nx120"), ["line 10", "f64"])):
        (bench.folder / "changed.txt").write_text(change(text), encoding="ascii")
        check_wrong(bench, ["changed.txt", "--data", "data"], ["changed.txt", *names])
    (bench.folder / "changed.txt").write_text(text.replace("relu shape=Nx84", "affine batch=N features=84:84 algorithm=auto"), encoding="ascii")
    check_wrong(bench, ["changed.txt", "--data", "data", "--deterministic"], ["--deterministic", "algorithm=auto"])
    for words, names in ((["absent.txt", "--data", "data"], ["absent.txt"]), ([network, "--data", "absent"], ["absent"]), ([], ["network"]),
                         ([network, "--batch", "0"], ["--batch"]), ([network, "--rate", "fast"], ["fast"]), ([network, "--optimizer", "x"], ["sgd or adam"]),
                         ([network, "--data", "data", "--kernels", "none"], ["line 2", "kernels=none"]),
                         ([network, network], ["one network"]), ([network, "--data", "data", "--batch", "5000"], ["5000", str(TRAIN)])):
        check_wrong(bench, words, names)


def check_not_overwritten(bench, network):
    before = (bench.folder / "of-1-lenet5-1" / "training.csv").read_bytes()
    status, _, ours = bench.run(1, "train", network, *WORDS, "--output", "of-1-lenet5-1")
    bench.check(status == 2 and len(ours) == 1 and "training.csv" in ours[0], f"status {status}, {ours}")
    bench.check((bench.folder / "of-1-lenet5-1" / "training.csv").read_bytes() == before, "training.csv was overwritten")


def main():
    bench = Bench(*sys.argv[1:3])
    networks = pathlib.Path(sys.argv[3])
    make_data(bench.folder / "data")
    check_same_losses(bench, networks)
    check_checkpoints(bench)
    check_running_statistics(bench)
    check_wrong_checkpoints(bench)
    check_not_overwritten(bench, str(networks / "lenet5-1.txt"))
    check_wrong_files(bench, str(networks / "lenet5-1.txt"))
    check_wrong_words(bench, str(networks / "lenet5-1.txt"))
    bench.end()


main()
