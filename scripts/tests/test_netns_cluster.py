#!/usr/bin/env python3
"""test_netns_cluster.py NETNS_CLUSTER TENSORGAUGE: a cluster of network namespaces, and runs on it: hosts are told apart, links
carry what they were shaped to, a slow one is named, a dead rank and a cut link end a launch, nothing is left behind.
Rates are compared with the shaper, which is far below what the machine can do. Exit status 77, with the reason, where
kernel or rights allow no namespaces."""
import csv
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM = str(pathlib.Path(sys.argv.pop(2)).resolve())
SCRIPT = str(pathlib.Path(sys.argv.pop(1)).resolve())
TGBENCH = str(pathlib.Path(PROGRAM).parent / "tgbench")
FAMILY = json.loads(subprocess.run([TGBENCH, "list", "--json"], capture_output=True, check=True).stdout)["build"]["mpi_family"]
NAME = f"t{os.getpid() % 10**6}c"  # of our hosts; others may have theirs
HOSTS, MBIT, SLOW_MBIT = 4, 20, 10
WIRE = 1514 / 1448  # bytes of a frame, which a shaper counts, for those that it carries for TCP
PAIRS = """[campaign]
budget    = 3s
calibrate = no
raw       = all
min-reps  = 3
max-reps  = 3
[cells pairs]
case  = machine:pairs shape=N round=R
ranks = 4
sizes = 1MiB
"""
LONG = """[campaign]
budget    = 400s
calibrate = no
ci        = 0.001%      ; so that a cell takes its share of the budget
max-reps  = 1000000
[cells long]
case      = machine:one_way shape=16384 busy=2
ranks     = 2
"""
HELLO = """#include <mpi.h>
#include <stdio.h>
#include <unistd.h>
int main(void)
{
    char name[64];
    int rank, sum;
    MPI_Init(NULL, NULL);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Allreduce(&rank, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    gethostname(name, sizeof name);
    printf("%s %d\\n", name, sum);
    return MPI_Finalize();
}
"""


def call(*words, **more):
    return subprocess.run([SCRIPT, *words], capture_output=True, text=True, timeout=200, stdin=subprocess.DEVNULL, **more)


def namespaces(name):
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True)
    return [line.split()[0] for line in listed.stdout.splitlines() if line.startswith(name)]


def processes(host):
    """pid -> command line of what runs on a host."""
    found = subprocess.run(["ip", "netns", "pids", host], capture_output=True, text=True, check=True).stdout.split()
    words = {}
    for pid in found:
        try:
            words[int(pid)] = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            pass
    return words


class Case(unittest.TestCase):
    def wait_for(self, what):
        until = time.monotonic() + 100
        while time.monotonic() < until:
            value = what()
            if value:
                return value
            time.sleep(0.05)
        self.fail("nothing came")

    def expect_nothing_left(self, name):
        self.assertEqual(namespaces(name), [])
        self.assertFalse(pathlib.Path("/run/netns-cluster", name).exists())
        self.assertNotIn(f"/run/netns-cluster/{name}/", pathlib.Path("/proc/mounts").read_text())


class Script(Case):
    def test_words(self):
        for words, said in [((), "expected run COMMAND"), (("run",), "expected a command"), (("--hosts", "9", "up"), "2 to 8"),
                            (("--hosts",), "a value"), (("--rate", "1 mbit;", "up"), "rate '1 mbit;'"), (("link", "0"), "expected"),
                            (("--name", "../x", "down"), "--name '../x'"), (("--delay", "1", "up"), "--delay '1'"),
                            (("--name", "absent", "enter", "0", "true"), "no hosts"), (("--many", "up"), "--many")]:
            done = call(*words)
            self.assertEqual((done.returncode, done.stdout, len(done.stderr.splitlines())), (2, "", 1), (words, done.stderr))
            self.assertTrue(done.stderr.startswith("netns-cluster: "), done.stderr)
            self.assertIn(said, done.stderr)

    @unittest.skipUnless(shutil.which("setpriv"), "setpriv is not installed")
    def test_rights(self):
        plain = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--reuid=65534", "--clear-groups"]
        done = subprocess.run([*plain, SCRIPT, "run", "true"], capture_output=True, text=True, timeout=100)
        self.assertEqual((done.returncode, len(done.stderr.splitlines())), (2, 1), done.stderr)
        self.assertIn("expected root", done.stderr)

    def test_run(self):
        name = NAME[:-1] + "r"
        done = call("--name", name, "--hosts", "2", "run", "bash", "-c", "hostname; exit 7")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (7, f"{name}0\n", ""))
        self.expect_nothing_left(name)

    def test_signals(self):
        """What is left after SIGKILL is taken down by `down`; after other signals nothing is left. The command sits on a host."""
        name = NAME[:-1] + "s"
        for number, status in [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -9)]:
            words = [SCRIPT, "--name", name, "--hosts", "2", "run", "sleep", "1000"]
            with subprocess.Popen(words, stdin=subprocess.DEVNULL, start_new_session=True) as script:
                self.wait_for(lambda: f"{name}0" in namespaces(name) and "sleep 1000 " in processes(f"{name}0").values())
                script.send_signal(number)
                self.assertEqual(script.wait(timeout=100), status)
            if number == signal.SIGKILL:
                self.assertEqual(len(namespaces(name)), 3)
                self.assertEqual(call("--name", name, "up").returncode, 2)  # they are there
                self.assertEqual(call("--name", name, "down").returncode, 0)
            self.expect_nothing_left(name)


    @unittest.skipUnless(os.access("/dev/net/tun", os.W_OK), "/dev/net/tun is not there")
    def test_delay(self):
        """A message and its answer take two delays at least, by netem or by the switch in user space."""
        name = NAME[:-1] + "d"
        done = call("--name", name, "--hosts", "2", "--delay", "3ms", "run", "mpiexec.mpich" if FAMILY == "mpich" else "mpirun",
                    "-n", "2", TGBENCH, "time", "machine:one_way shape=2", "--max-reps", "10")
        self.assertEqual(done.returncode, 0, done.stderr)
        row, = csv.DictReader(done.stdout.splitlines())
        self.assertEqual((row["status"], row["nodes"]), ("ok", "2"))
        self.assertGreater(float(row["t_min_us"]), 6000)
        self.expect_nothing_left(name)
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                self.assertNotIn(f"/{name}/switch".encode(), path.read_bytes())
            except OSError:
                pass  # it has ended


class Runs(Case):
    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(call, "--name", NAME, "down")
        done = call("--name", NAME, "--hosts", str(HOSTS), "--rate", f"{MBIT}mbit", "up")
        assert (done.returncode, done.stderr) == (0, ""), done.stderr

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tensorgauge-netns-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def on_host(self, *words):
        return [SCRIPT, "--name", NAME, "enter", "0", *words]

    def run_words(self, campaign, *more):
        path = self.folder / "one.ini"
        path.write_text(campaign)
        return self.on_host(PROGRAM, "run", str(path), "--output", str(self.folder / "results"), *more)

    def link(self, *words):
        done = call("--name", NAME, "link", *words)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def run_folder(self):
        runs = list((self.folder / "results").glob("*"))
        return runs[0] if runs else None

    def rows(self, name="cells.csv"):
        with open(self.run_folder() / name, newline="", encoding="ascii") as file:
            return list(csv.DictReader(file, strict=True))

    def test_libraries(self):
        """Ranks on two hosts, which reach each other, with each library whose compiler is here. Two, for Debian's MPICH does not
        yield, and more than the cores may take minutes on a machine in use."""
        (self.folder / "hello.c").write_text(HELLO)
        tried = 0
        for family, launcher in [("openmpi", "mpirun.openmpi"), ("mpich", "mpiexec.mpich")]:
            if not shutil.which(f"mpicc.{family}") or not shutil.which(launcher):
                print(f"{family} is not installed: not tried", flush=True)
                continue
            hello = str(self.folder / f"hello.{family}")
            subprocess.run([f"mpicc.{family}", "-o", hello, str(self.folder / "hello.c")], check=True)
            done = subprocess.run(self.on_host(launcher, "-n", "2", hello), capture_output=True, text=True, timeout=200)
            self.assertEqual((done.returncode, sorted(done.stdout.split("\n"))),
                             (0, ["", f"{NAME}0 1", f"{NAME}1 1"]), done.stderr)
            tried += 1
        self.assertGreater(tried, 0)

    def test_links(self):
        """All six links have their rates, and accept names the slow one."""
        self.link("1", "2", f"{SLOW_MBIT}mbit")
        self.addCleanup(self.link, "1", "2", "free")
        done = subprocess.run(self.run_words(PAIRS), capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual({(r["nodes"], r["ppn"], r["status"], r["wrong"]) for r in self.rows()}, {("4", "1", "ok", "0")})
        record = json.loads((self.run_folder() / "run.json").read_text())
        facts = record["launches"][0]["facts"]
        self.assertEqual([m["name"] for m in facts["machines"]], [f"{NAME}{i}" for i in range(HOSTS)])
        self.assertEqual([r["machine"] for r in facts["ranks"]], list(range(HOSTS)))
        self.assertEqual(len({m["id"] for m in facts["machines"]}), HOSTS)
        self.check_rates()
        self.check_verdict()

    def check_rates(self):
        """Of there and back: the longer time of the two ranks, for one may begin late; the best of the repetitions, for
        nothing but the shaper may be seen."""
        rounds = {row["cell"]: int(row["case"].split("round=")[1].split()[0]) for row in self.rows()}
        took_us = {}
        for sample in self.rows("samples.csv"):
            rank = int(sample["rank"])
            number = rounds[sample["cell"]]
            partner = next(p for p in range(HOSTS) if p != rank and meet(number, rank, p))
            key = tuple(sorted((rank, partner)))
            times = took_us.setdefault(key, {})
            times[sample["repetition"]] = max(float(sample["t_us"]), times.get(sample["repetition"], 0))
        self.assertEqual(len(took_us), 6)
        for key, times in took_us.items():
            mbit = 2 * 8 * 2**20 * WIRE / min(times.values())
            shaped = SLOW_MBIT if key == (1, 2) else MBIT
            self.assertLess(abs(mbit / shaped - 1), 0.1, f"link {key}: {mbit:.1f} Mbit/s of {shaped}")

    def check_verdict(self):
        done = subprocess.run([PROGRAM, "accept", str(self.run_folder())], capture_output=True, text=True, timeout=100)
        self.assertEqual((done.returncode, done.stderr), (1, ""), done.stdout)
        judgement = json.loads((self.run_folder() / "judgement.json").read_text())
        pairs = next(rule for rule in judgement["rules"] if rule["rule"] == "pairs")
        slow = [f["culprit"] for f in pairs["findings"] if f["value"] > 1.5 * f["expected"]]
        self.assertEqual(len(slow), 1, pairs)
        self.assertRegex(slow[0], rf"^link rank 1 \({NAME}1,.*\) - rank 2 \({NAME}2,.*\)$")

    def in_flight(self):
        log = self.run_folder() and self.run_folder() / "log.txt"
        return log and log.exists() and "begin 1 " in log.read_text() and self.ranks_of(1)

    def ranks_of(self, host):
        return [pid for pid, words in processes(f"{NAME}{host}").items() if "/tgbench time " in words and "orted" not in words]

    def end_early(self, disturb, *more):
        """Starts a run of minutes, disturbs it, and waits for its end: (exit status, what it said)."""
        with open(self.folder / "said", "w") as said, \
                subprocess.Popen(self.run_words(LONG, *more), stdout=subprocess.DEVNULL, stderr=said) as driver:
            self.wait_for(self.in_flight)
            disturb()
            status = driver.wait(timeout=100)
        for host in range(HOSTS):
            self.wait_for(lambda: not processes(f"{NAME}{host}"))
        self.assertEqual([row["status"] for row in self.rows()], ["killed"])
        return status, (self.folder / "said").read_text()

    def test_killed_rank(self):
        status, said = self.end_early(lambda: os.kill(self.ranks_of(1)[0], signal.SIGKILL))
        self.assertEqual(status, 1, said)
        self.assertIn("ended with status", said)

    def test_cut_link(self):
        self.addCleanup(self.link, "0", "1", "free")
        status, said = self.end_early(lambda: self.link("0", "1", "cut"), "--stall-timeout", "5s", "--budget", "12s")
        self.assertEqual(status, 1, said)
        self.assertIn("hung and was ended", said)


def meet(number, a, b):
    """Do two of four ranks meet in this round? bench/pairs.h: round 1 has (0, 1) and (2, 3), round 2 (1, 2) and (3, 0)."""
    return {frozenset((a, b))} <= [{frozenset((0, 1)), frozenset((2, 3))}, {frozenset((1, 2)), frozenset((0, 3))},
                                   {frozenset((0, 2)), frozenset((1, 3))}][number - 1]


if __name__ == "__main__":
    probe = call("--name", NAME, "--hosts", "2", "run", "true")
    if probe.returncode != 0:
        print(f"skipped: {probe.stderr.strip()}")
        sys.exit(77)
    unittest.main()
