"""test_weights.py TGBENCH MPIEXEC: the terms of models in `list --json` and in a dry run: numbers where an algorithm of our
own tells them, and nothing (null, never 0) where the MPI library decides; none below the least that is possible."""
import json
import sys

from launch import Bench

LINES = ["broadcast shape=262144 from=1 to=Pc", "all_sum_reduce shape=262144 grid=Pc",
         "halo shape=64x40 grid=Px1 kernel=3x3 padding=1x1", "raw:MPI_Bcast shape=262144 from=1 to=Pc",
         "affine batch=4 features=8:8 grid=1xP"]
TREE = {"rounds": 3, "messages": 3, "bytes": 3 << 20, "rounds_min": 3, "bytes_min": 1 << 20}


def main():
    bench = Bench(*sys.argv[1:3])
    status, text, _ = bench.run(0, "list", "--json")
    listed = {o["name"]: o["weights"] for o in json.loads(text)["operations"]}
    bench.check(status == 0 and listed["broadcast"]["mpi"] is None and listed["raw:MPI_Bcast"] == {}, "the library's own")
    bench.check(set(listed["broadcast"]["tree"]) == {"rounds", "bytes", "source"}, f"formulas: {listed['broadcast']}")
    status, text, errors = bench.run(0, "time", *LINES, "--ranks", "8", "--algorithm", "all", "--dry-run", "--json")
    bench.check(status == 0 and not errors, f"dry run: {errors}")
    known = unknown = 0
    for cell in json.loads(text):
        weight = cell["weight"]
        name = cell["case"].split("algorithm=")[-1].split()[0]
        told = [weight[key] for key in ("rounds", "messages", "bytes")]
        if listed[cell["op"]].get(name):
            known += 1
            bench.check(all(value and value > 0 for value in told) and weight["rounds"] >= weight["rounds_min"] > 0
                        and weight["bytes"] >= weight["bytes_min"] > 0, f"{cell}")
        else:
            unknown += 1
            bench.check(told == [None] * 3, f"{cell}")
        if cell["op"] == "broadcast" and name == "tree" and cell["direction"] == "forward":
            bench.check(weight == TREE, f"{weight} is not {TREE}")
    bench.check(known >= 16 and unknown >= 10, f"{known} known and {unknown} unknown weights")
    bench.end()


main()
