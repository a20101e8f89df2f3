"""ReFrame test: runs a campaign of Tensorgauge on the ranks of the job and judges it. Good when the last line of
`tensorgauge accept` says PASS and no cell is wrong; the time of each cell is a figure of performance."""
import csv
import glob
import os
import re

import reframe as rfm
import reframe.utility.sanity as sn
from reframe.core.backends import getlauncher

VERDICT = re.compile(r"tensorgauge accept: (PASS|FAIL|UNDECIDED)\b")


def verdict_of(text):
    """PASS, FAIL or UNDECIDED, as the last line of a text says; None when it says neither."""
    lines = text.splitlines()
    found = VERDICT.match(lines[-1]) if lines else None
    return found.group(1) if found else None


def read_cells(folder):
    """The rows of the one run below a folder."""
    path, = glob.glob(os.path.join(glob.escape(folder), "results", "*", "cells.csv"))
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def times_of(rows):
    """{operation, direction, bytes and ranks of a cell: its median in us, the mean of launches}."""
    found = {}
    for row in rows:
        if row["status"] == "ok" and row["t_median_us"]:
            # The case tells apart what has the same operation; its words make no good names.
            name = "_".join((row["op"], row["direction"], row["size_bytes"] + "B", row["ranks"] + "ranks"))
            found.setdefault(re.sub(r"[^A-Za-z0-9_.+-]", "-", name), []).append(float(row["t_median_us"]))
    return {name: sum(values) / len(values) for name, values in found.items()}


@rfm.simple_test
class TensorgaugeCheck(rfm.RunOnlyRegressionTest):
    descr = "Linear operators of model parallelism: values, times and verdict"
    valid_systems = ["*"]
    valid_prog_environs = ["*"]
    tags = {"performance", "mpi"}
    campaign = variable(str, value="acceptance")
    launcher_words = variable(str, value="")  # such as: srun --mpi=pmix
    executable = "tensorgauge"

    @run_before("run")
    def set_words(self):
        # tensorgauge starts the ranks itself: one launch for each rank count.
        self.job.launcher = getlauncher("local")()
        ranks = self.num_tasks or 1
        self.executable_opts = ["run", self.campaign, "--ranks", str(ranks), "--output", "results"]
        if self.launcher_words:
            self.executable_opts += ["--launcher", f"'{self.launcher_words}'"]
        self.postrun_cmds = ["tensorgauge accept results/*"]

    @sanity_function
    def is_good(self):
        with open(os.path.join(self.stagedir, str(sn.evaluate(self.stdout)))) as file:
            verdict = verdict_of(file.read())
        wrong = [row["case"] for row in read_cells(self.stagedir) if row["status"] == "wrong"]
        return sn.all([sn.assert_eq(verdict, "PASS", msg=f"the verdict is {verdict}"),
                       sn.assert_eq(wrong, [], msg=f"wrong values: {wrong}")])

    @run_before("performance")
    def set_times(self):
        self.perf_variables = {name: sn.make_performance_function(sn.defer(value), "us")
                               for name, value in times_of(read_cells(self.stagedir)).items()}
