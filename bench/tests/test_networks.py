"""test_networks.py TGBENCH MPIEXEC PLANTED NETWORKS: every network is an operation; its loss, gradients and parameters behind a
step are those of one rank, at any rank count that its text allows; a broadcast of weights that is wrong is found; its size,
flops and words are right."""
import json
import pathlib
import sys

from launch import Bench

PARAMETERS = 61706  # of LeNet-5


def check_values(bench):
    for ranks, cases in ((1, ["lenet5-1 batch=3", "lenet5-batch batch=1"]), (3, ["lenet5-batch batch=7", "lenet5-batch batch=2"]),
                         (4, ["lenet5 batch=5", "lenet5-batch batch=6"])):
        status, output, ours = bench.run(ranks, "check", *(f"network:{case}" for case in cases))
        lines = [line for line in output.splitlines() if line.startswith("ok ")]
        bench.check(status == 0 and not ours and len(lines) == 3 * len(cases), f"{cases} on {ranks}: {status} {output} {ours}")
        for direction in ("forward", "backward", "step"):
            bench.check(sum(f" {direction} " in line for line in lines) == len(cases), f"{direction} of {cases}: {output}")


def check_wrong_values(bench, planted):
    right, bench.program = bench.program, planted
    status, output, _ = bench.run(4, "check", "network:lenet5 batch=5", PLANT="flip")
    bench.program = right
    for direction in ("forward", "backward", "step"):
        bench.check(status == 1 and any("WRONG" in line and f" {direction} " in line for line in output.splitlines()),
                    f"a wrong broadcast of weights, {direction}: {status} {output}")


def check_rows(bench):
    status, _, ours = bench.run(2, "time", "network:lenet5-batch batch=4", "--output", "rows", "--max-reps", "4", "--min-reps", "2")
    rows = {row["direction"]: row for row in bench.rows("rows")}
    bench.check(status == 0 and not ours and set(rows) == {"forward", "backward", "step"}, f"{status} {ours} {rows}")
    flops = {name: float(row["flops"]) for name, row in rows.items()}
    bench.check(flops["step"] == flops["forward"] + flops["backward"], f"{flops}")
    # multiplications and additions of the convolutions and the fully connected layers, as forward has at least
    least = 4 * 2 * (6 * 25 * 28 * 28 + 16 * 150 * 10 * 10 + 400 * 120 + 120 * 84 + 84 * 10)
    bench.check(least <= flops["forward"] < 1.1 * least, f"{flops['forward']} of {least}")
    for row in rows.values():
        bench.check(row["status"] == "ok" and float(row["size_bytes"]) == 4 * (4 * 28 * 28 + 1 + PARAMETERS), f"{row}")


def check_words(bench, networks):
    _, output, _ = bench.run(0, "list", "--json")
    listed = [o["name"] for o in json.loads(output)["operations"] if o["kind"] == "network"]
    bench.check(listed == [f"network:{path.stem}" for path in sorted(networks.glob("*.txt"))] and listed, f"{listed}")
    for words, names in ((["network:lenet5 batch=4"], ["line", "4 ranks"]), (["network:lenet5-1 batch=0"], ["batch="]),
                         (["network:lenet5-1 batch=two"], ["batch=", "two"]), (["network:lenet5-1 shape=3"], ["shape=3"]),
                         (["network:lenet5-1 batch=4 dtype=f64"], ["dtype=f64"]), (["network:lenet5-1 batch=N"], ["--sizes"])):
        status, output, ours = bench.run(0, "time", *words, "--dry-run")
        bench.check(status == 2 and len(ours) == 1 and all(name in ours[0] for name in names), f"{words}: {status} {ours}")
    # --kernels: in place of the case's own, for layers and networks; other operations have no such word
    status, output, _ = bench.run(0, "time", "network:lenet5-1 batch=4", "affine batch=2 features=3:4 kernels=auto", "--kernels",
                                  "openblas,auto", "--direction", "forward", "--dry-run", "--json")
    kernels = [cell["case"].split("kernels=")[1].split()[0] for cell in json.loads(output)]
    bench.check(status == 0 and kernels == 2 * ["openblas", "auto"], f"{status} {kernels}")
    for case, names in (("network:lenet5-1 batch=4", ["line", "kernels=none"]), ("broadcast shape=4 from=1 to=1c", ["no key of broadcast"])):
        status, output, ours = bench.run(0, "time", case, "--kernels", "none", "--dry-run")
        bench.check(status == 2 and len(ours) == 1 and all(name in ours[0] for name in names), f"{case}: {status} {ours}")
    # weak scaling: twice the ranks have about twice the flops
    status, output, _ = bench.run(0, "time", "network:lenet5-batch batch=N", "--sizes", "512KiB", "--ranks", "1,2", "--scaling",
                                  "weak", "--dry-run", "--json")
    batch = [int(cell["case"].split("batch=")[1].split()[0]) for cell in json.loads(output) if cell["direction"] == "step"]
    bench.check(len(batch) == 2 and 1.8 * batch[0] < batch[1] <= 2 * batch[0], f"batch {batch} on 1 and 2 ranks")


def main():
    bench = Bench(*sys.argv[1:3])
    check_values(bench)
    check_wrong_values(bench, sys.argv[3])
    check_rows(bench)
    check_words(bench, pathlib.Path(sys.argv[4]))
    bench.end()


main()
