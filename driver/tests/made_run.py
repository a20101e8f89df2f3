"""made_run.py: a run folder made from a rule, so that a test knows what accept must say of it: machines of cells, times of
ranks, links and launches. Times are whole ratios of one another; nothing is measured."""
import csv
import json
import re

HEADER = ["schema", "run_id", "launch", "cell", "repetition", "t_max_us", "slowest_rank", "t_min_us", "fastest_rank", "rank",
          "t_us"]
FLAGS = ["avx2", "fma", "avx512f", "avx512dq", "avx512bw", "avx512vl"]


def partners(ranks, round_number):
    """Pairs of a round, worked out apart from bench/pairs.c: the table of a tournament, turned."""
    seats = list(range(ranks + ranks % 2))
    found = []
    modulus = len(seats) - 1
    name = {1: 0, **{rank: rank // 2 if rank % 2 == 0 else -(rank - 1) // 2 % modulus for rank in seats[2:]}}
    for a in seats:
        for b in seats[a + 1:]:
            total = 2 * name[b] if a == 0 else name[a] + name[b]
            if total % modulus == (round_number - 1) % modulus and b < ranks:
                found.append((a, b))
    return found


class Run:
    """Rows and samples in the order in which they are added."""

    def __init__(self, columns_def, ranks=8, machines=None, hosts=None):
        with open(columns_def, encoding="utf-8") as file:
            self.columns = re.findall(r"^TGB_COLUMN\((\w+)", file.read(), re.M)
        self.ranks = ranks
        self.machine = machines or [0] * ranks
        self.hosts = hosts or [f"node{m}" for m in range(max(self.machine) + 1)]
        self.rows, self.samples = [], []
        self.blas = ["SkylakeX"] * len(self.hosts)
        self.launches = 1
        self.planned = None
        self.has_ranks = True
        self.record = True
        self.environment = {}

    def add(self, case, time_us, launch=0, times=None, **other):
        """A row; times: of each rank, every repetition of which is alike."""
        cell = len(self.rows) + 1
        self.launches = max(self.launches, launch + 1)
        op = case.split()[0]
        words = dict(word.split("=", 1) for word in case.split()[1:] if "=" in word)
        row = dict.fromkeys(self.columns, "")
        row |= {"schema": 1, "run_id": "made", "launch": launch, "cell": cell, "op": op, "case": case, "direction": "forward",
                "algorithm": words.get("algorithm", ""), "dtype": words.get("dtype", ""), "shape": words.get("shape", ""),
                "ranks": self.ranks, "oversubscribed": 0, "moved_bytes": 0, "size_bytes": 64, "samples": 6, "wrong": 0,
                "status": "ok", "t_median_us": time_us, "t_start_iso": "2026-11-28T08:00:00Z"}
        row |= other
        self.rows.append(row)
        for repetition in range(6):
            for rank, us in enumerate(times or []):
                self.samples.append([1, "made", launch, cell, repetition, max(times), times.index(max(times)), min(times),
                                     times.index(min(times)), rank, us])

    def add_local(self, times, op="machine:gemm", shape="64x64", **other):
        case = f"{op} shape={shape} busy={len(times)} dtype=f32 algorithm=openblas"
        self.add(case, max(times), times=times, **other)

    def add_pairs(self, time_of, shape="2", launch=0):
        """All rounds; time_of(a, b) in us."""
        rounds = self.ranks - 1 if self.ranks % 2 == 0 else self.ranks
        for number in range(1, rounds + 1):
            times = [0.01] * self.ranks
            for a, b in partners(self.ranks, number):
                times[a] = time_of(a, b)
                times[b] = 0.9 * time_of(a, b)  # it ends when its answer is on its way
            self.add(f"machine:pairs shape={shape} busy={self.ranks} dtype=f32 algorithm=mpi round={number}", max(times),
                     launch=launch, times=times, moved_bytes=16)

    def facts(self):
        return {"machines": [{"name": host, "blas_core": core} for host, core in zip(self.hosts, self.blas)],
                "ranks": [{"machine": machine, "binding": str(rank)} for rank, machine in enumerate(self.machine)]}

    def write(self, folder):
        folder.mkdir(parents=True)
        with open(folder / "cells.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self.columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.rows)
        with open(folder / "samples.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerows([line[:None if self.has_ranks else 9] for line in [HEADER, *self.samples]])
        if self.record:
            launches = [{"launch": k, "ranks": self.ranks, "facts": self.facts()} for k in range(self.launches)]
            record = {"machine": {"cpu_flags": FLAGS}, "environment": self.environment,
                      "cells_planned": self.planned or len(self.rows), "launches": launches}
            (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
        return folder
