"""test_simulate.py TENSORGAUGE: campaigns on simulated machines. On links without SimGrid's factors the times are those of
the formulas, with alpha = links x latency and beta = 1 / bandwidth, and the few reads of the clock that lie between start
and end; products of matrices take flops / rate; two runs have the same times to the last digit; the rates of a machine come
back from a run on it; no row beats its bound; wrong platforms are one line and exit status 2, and leave nothing behind."""
import csv
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

LIMIT_S = 500
LATENCY_US, RATE = 0.5, 12500.0  # of a link; bytes in a microsecond
CLOCK_US = 0.06  # a read of the clock takes 10 ns
TIMES = ("t_first_us", "t_min_us", "t_median_us", "t_max_us", "skew_us")


def head(name, repetitions):
    return f"""[campaign]
name = {name}
launches = 1
budget = 60s
min-reps = {repetitions}
max-reps = {repetitions}
"""


CAMPAIGN = head("simulated", 3) + """order = given
[cells send]
case = send_recv shape=N from-ranks=0 to-ranks=1
ranks = {ranks}
sizes = 8B,{large}
algorithm = mpi
direction = forward,adjoint
[cells broadcast]
case = broadcast shape=N from=1 to=Pc
ranks = {ranks}
sizes = 8B,{large}
algorithm = mpi,p2p,tree,chain
direction = forward,adjoint
[cells ring]
case = all_gather shape=N from=P to=Pc
ranks = {ranks}
sizes = {large}
algorithm = ring
"""

# A number of ranks that is no power of two, empty parts, and short messages that follow long ones on the same way.
ODD = head("odd", 2) + """calibrate = no
""" + "".join(f"""[cells odd{number}]
case = {case}
ranks = 7
sizes = 8B,256KiB
algorithm = all
""" for number, case in enumerate((
    "broadcast shape=N from=1 to=Pc", "all_sum_reduce shape=N grid=Pc", "all_gather shape=N from=P to=Pc", "gather shape=N from=P to=1",
    "repartition shape=Nx8 from=Px1 to=1xP")))

PRODUCTS = head("products", 3) + """calibrate = no
[cells affine]
case = affine batch=64 features=512:256 grid=1x1 bias=no
ranks = 1
direction = forward,backward
[cells convolution]
case = convolution batch=2 channels=8:16 space=16x16 kernel=3x3 padding=1x1 grid=1x1x1x1
ranks = 1
direction = forward,backward
"""

LARGE = head("large", 2) + """calibrate = no
[cells halo]
case = halo shape=NxNxN grid=auto kernel=3x3x3 padding=1x1x1
ranks = 64,256
sizes = 1MiB
algorithm = p2p,mpi
direction = forward,adjoint
scaling = strong
[cells convolution]
case = convolution batch=N channels=4:4 space=16x16 kernel=3x3 padding=1x1 grid=Px1x1x1
case = convolution batch=1 channels=4:4 space=Nx16 kernel=3x3 padding=1x1 grid=1x1xPx1
ranks = 64,256
sizes = 64KiB
direction = forward,backward
scaling = weak
"""


def levels(ranks):
    """Messages one after another on the longest way through a binomial tree: the most ones in a rank's number."""
    return max(bin(rank).count("1") for rank in range(ranks))


def tree_us(ranks, alpha, send, place=0):
    """Our broadcast from this place of a tree down: a rank sends to ever smaller trees, two messages at a time, which share its link."""
    lowest = place & -place or 1 << (ranks - 1).bit_length()
    below = [place + (lowest >> k) for k in range(1, lowest.bit_length()) if place + (lowest >> k) < ranks]
    begun, done = 0, 0
    for pair in (below[k:k + 2] for k in range(0, len(below), 2)):
        begun += alpha + len(pair) * send
        done = max(done, *(begun + tree_us(ranks, alpha, send, child) for child in pair))
    return done


def expected_us(row, alpha):
    ranks, size = int(row["ranks"]), int(row["size_bytes"])
    send = size / RATE
    small = size == 8
    if row["op"] == "send_recv":
        return alpha + send
    if row["op"] == "all_gather":
        return (ranks - 1) * (alpha + send / ranks)
    if row["algorithm"] == "p2p":
        return alpha + (ranks - 1) * send
    if row["algorithm"] == "chain":
        pieces = int(row["messages"]) // (ranks - 1)
        return (ranks - 2 + pieces) * (alpha + send / pieces)
    if row["algorithm"] == "mpi" or small:
        return levels(ranks) * (alpha + send)
    if row["direction"] == "forward":
        return tree_us(ranks, alpha, send)
    pieces = int(row["messages"]) // (ranks - 1)  # of a term; two of them at a time
    return (ranks - 1).bit_length() * ((pieces + 1) // 2 * alpha + send)


class Driver:
    def __init__(self, program):
        self.program, self.checks, self.failed = program, 0, 0
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tensorgauge test simulate "))

    def check(self, good, what):
        self.checks += 1
        if not good:
            self.failed += 1
            print(f"FAILED: {what}")

    def run(self, campaign, *words):
        (self.folder / "c.ini").write_text(campaign, encoding="ascii")
        return subprocess.run([self.program, "run", "c.ini", *words], cwd=self.folder, capture_output=True, text=True,
                              timeout=LIMIT_S, check=False, env={**os.environ, "TMPDIR": str(self.folder)})

    def rows(self, campaign, output, *words):
        result = self.run(campaign, "--output", output, *words)
        self.check(result.returncode == 0, f"{words}: {result.returncode} {result.stderr[-500:]}")
        cells = list((self.folder / output).glob("*/cells.csv"))
        self.check(len(cells) == 1, f"{words}: {cells}")
        with open(cells[0], newline="", encoding="ascii") as file:
            return list(csv.DictReader(file))


def check_rows(driver, rows, links, count):
    """Every row is good, says what it is, and has the time of its formula."""
    for row in rows:
        what = f"{row['case']} {row['direction']}"
        driver.check((row["status"], row["wrong"], row["clock"], row["oversubscribed"], row["nodes"]) ==
                     ("ok", "0", "simulated", "0", row["ranks"]), f"{what}: {row}")
        driver.check("above_bound" not in row["flags"], f"{what}: {row['flags']} {row['t_median_us']} {row['bound_us']}")
        expected = expected_us(row, links * LATENCY_US)
        measured = float(row["t_median_us"])
        driver.check(expected <= measured <= expected + CLOCK_US * int(row["messages"] or 8),
                     f"{what}: {measured} us; expected {expected} us")
    driver.check(len(rows) == count, f"{len(rows)} rows")


def check_products(driver, platform, rate):
    """A layer on one rank takes the time of its operations."""
    rows = driver.rows(PRODUCTS, f"products {rate}", "--simulate", platform)
    for row in rows:
        expected, measured = float(row["flops"]) / rate / 1e3, float(row["t_median_us"])
        driver.check(row["status"] == "ok" and expected <= measured <= expected + CLOCK_US,
                     f"{row['case']} {row['direction']}: {measured} us; expected {expected} us")
    driver.check(len(rows) == 4, f"products: {len(rows)} rows")


def check_large(driver):
    """Strong scaling of a halo exchange, whose messages leave together; weak scaling of a layer, whose work takes its time."""
    rows = driver.rows(LARGE, "large", "--simulate", "cluster:256")
    for row in rows:
        what, measured = f"{row['case']} {row['direction']} at {row['ranks']}", float(row["t_median_us"])
        if row["op"] == "halo":
            least = 2 * LATENCY_US + int(row["max_rank_bytes"]) / RATE
            driver.check(least <= measured <= 2 * least, f"{what}: {measured} us; expected {least} us or little more")
        else:
            work = float(row["flops"]) / int(row["ranks"]) / 100e3
            most = work + 3 * levels(int(row["ranks"])) * 2 * LATENCY_US  # trees: of weights, of bias, and a halo
            driver.check(0.98 * work <= measured <= most, f"{what}: {measured} us; expected {work} to {most} us")
        driver.check((row["status"], row["wrong"], row["clock"]) == ("ok", "0", "simulated"), f"{what}: {row}")
        driver.check("noisy" not in row["flags"], f"{what}: {row['flags']}")
    driver.check(len(rows) == 16, f"large: {len(rows)} rows")


def check_rates(driver, run):
    """A machine like that of a run has its rates. The name of a run begins with a digit, as a latency does."""
    (driver.folder / run.name).symlink_to(run)
    driver.rows(PRODUCTS, "like", "--simulate", f"cluster:8,{run.name}")
    text = next((driver.folder / "like").glob("*/platform.xml")).read_text(encoding="ascii")
    for name, unit, expected in (("lat", "ns", 1e3 * LATENCY_US), ("bw", "MBps", RATE), ("speed", "Gf", 100)):
        value = float(re.search(f'{name}="([0-9.e+]+){unit}"', text).group(1))
        driver.check(0.97 <= value / expected <= 1.05, f"like {run}: {name} = {value}; expected {expected}")


def check_refused(driver, campaign, platform, word):
    before = sorted(driver.folder.rglob("*"))
    result = driver.run(campaign, "--simulate", platform)
    lines = result.stderr.splitlines()
    driver.check(result.returncode == 2 and len(lines) == 1 and word in lines[0], f"{platform}: {result}")
    driver.check(sorted(driver.folder.rglob("*")) == before, f"{platform}: something was left behind")


def main():
    driver = Driver(sys.argv[1])
    eight, many = CAMPAIGN.format(ranks=8, large="1MiB"), CAMPAIGN.format(ranks=64, large="64KiB")
    first = driver.rows(eight, "first", "--simulate", "cluster:8")
    check_rows(driver, first, 2, 22)
    driver.check(sum(row["bound_us"] != "" for row in first) > 20, "few rows have a bound")
    subprocess.run([driver.program, "plot", str(next((driver.folder / "first").iterdir()))], check=True, timeout=LIMIT_S)
    captions = [path.read_text(encoding="utf-8") for path in (driver.folder / "first").glob("*/figures/*.txt")]
    driver.check(captions and all("Simulated, not measured" in text for text in captions), f"captions: {captions}")
    again = driver.rows(eight, "again", "--simulate", "cluster:8,500ns,12.5GBps")
    driver.check([[row[name] for name in TIMES] for row in first] == [[row[name] for name in TIMES] for row in again],
                 "a second run has other times")
    text = next((driver.folder / "first").glob("*/platform.xml"))
    by_file = driver.rows(eight, "by file", "--simulate", str(text), "--calibrate", "no")
    driver.check([row["t_median_us"] for row in by_file] == [row["t_median_us"] for row in first], "by file: other times")
    check_rows(driver, driver.rows(many, "many", "--simulate", "cluster:64", "--calibrate", "no"), 2, 22)
    odd = driver.rows(ODD, "odd", "--simulate", "cluster:7")
    driver.check(len(odd) > 100 and {row["status"] for row in odd} == {"ok"}, f"{[row for row in odd if row['status'] != 'ok']}")
    check_large(driver)
    check_products(driver, "cluster:1", 100)
    check_products(driver, "cluster:1,1us,1GBps,2TFLOPs", 2000)
    run = next((driver.folder / "first").iterdir())
    check_rates(driver, run)
    shutil.copytree(run, driver.folder / "lame")
    (driver.folder / "lame" / "calibration.csv").write_text((run / "cells.csv").read_text(encoding="ascii"), encoding="ascii")
    check_refused(driver, many, "cluster:64,lame", "expected good rows of machine:one_way")
    check_refused(driver, many, "cluster:64,nowhere", "nowhere/cells.csv")
    (driver.folder / "no.xml").write_text("hosts: 4\n", encoding="ascii")
    (driver.folder / "odd.xml").write_text('<platform version="4.1"><zorg/></platform>\n', encoding="ascii")
    check_refused(driver, many, "no.xml", "expected an XML file")
    check_refused(driver, many, "odd.xml", "odd.xml")
    check_refused(driver, many, "none.xml", "none.xml")
    check_refused(driver, many, "cluster:63", "expected 64")
    for word in ("cluster:", "cluster:0", "torus:8", "fat_tree:4x4x4", "cluster:64,1", "cluster:64,1us,1", "cluster:64,1us,1GBps,",
                 "cluster:64,1us,1GBps,1", "cluster:64,1us,1GBps,1GFLOPs,1"):
        check_refused(driver, many, word, "expected an XML file")
    print(f"{driver.checks} checks, {driver.failed} failed")
    subprocess.run(["rm", "-r", str(driver.folder)], check=True)
    sys.exit(1 if driver.failed or not driver.checks else 0)


main()
