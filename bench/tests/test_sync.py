"""test_sync.py PLANTED MPIEXEC: how repetitions start. PLANTED is tgbench with delays and clocks planted in its MPI library:
a delay is seen in full under every synchronisation, the rank is named, late repetitions are made again, clocks that differ
are put right. All figures are compared with what was planted."""
import pathlib
import sys

from launch import Bench

SYNCS = {"barrier": "own", "window": "announced", "round-time": "announced"}
RANKS = [1, 2, 3, 4, 5]
CASE = "raw:MPI_Bcast shape=64 from=1 to=Pc dtype=i8"  # so short that no rank waits for a later one
STEP_US = 3e6  # between the planted clocks of two ranks


def measure(bench, ranks, sync, folder, repetitions, *words, case=CASE, **plant):
    status, _, ours = bench.run(max(ranks), "time", case, "--ranks", ",".join(map(str, ranks)), "--sync", sync, "--output",
                                folder, "--min-reps", str(repetitions), "--max-reps", str(repetitions), *words, **plant)
    rows = bench.rows(folder)[-len(ranks):]
    samples = {}
    for sample in bench.rows(folder, "samples"):
        samples.setdefault(sample["cell"], []).append(sample)
    bench.check(status == 0 and [int(row["ranks"]) for row in rows] == ranks, f"{sync} {plant}: status {status} {ours}")
    for row in rows:
        what = f"{sync}, {row['ranks']} ranks, {plant}"
        bench.check(row["status"] == "ok" and row["sync"] == sync and row["start"] == SYNCS[sync], f"{what}: {row}")
        bench.check(int(row["samples"]) == repetitions and row["stop_reason"] == "fixed", f"{what}: {row['samples']} samples")
        bench.check(row["clock"] == "raw" and row["skew_us"] != "" and float(row["skew_us"]) >= 0, f"{what}: skew")
    return [(row, samples[row["cell"]]) for row in rows], ours


def check_last_rank(bench, sync):
    """A delay on the last rank: every repetition shows all of it. It is named too, with a delay that is longer than what
    another program can take from the other ranks."""
    for delay_us in (1000, 10000):
        for row, samples in measure(bench, RANKS, sync, "last", 12, PLANT="late", PLANT_US=str(delay_us))[0]:
            last, what = int(row["ranks"]) - 1, f"{sync}, {row['ranks']} ranks, {delay_us} us"
            if last == 0:
                continue
            bench.check(float(row["t_min_us"]) >= delay_us, f"{what}: not seen in full: {row['t_min_us']} us")
            bench.check(all(float(s["t_max_us"]) >= delay_us for s in samples), f"{what}: samples")
            if delay_us > 1000:
                bench.check(int(row["slowest_rank"]) == last, f"{what}: slowest rank {row['slowest_rank']}")


def check_random_rank(bench, sync):
    """The same on another rank each time: the median of the maximum shows all of it, a mean over ranks a fifth."""
    (row, _), = measure(bench, [5], sync, "random", 30, PLANT="random", PLANT_US="20000")[0]
    bench.check(float(row["t_median_us"]) >= 20000, f"{sync}: {row['t_median_us']} us; expected at least 20000")
    bench.check(float(row["osu_avg_us"]) < 20000 / 2, f"{sync}: mean over ranks {row['osu_avg_us']} us; expected about 4000")


def check_late(bench, sync):
    """The last rank misses every second start: such repetitions are made again and no sample shows them. There is no time
    for warming up, in which starts would come to be announced early enough."""
    cells, ours = measure(bench, [3], sync, "before", 12, "--budget", "1us", PLANT="before", PLANT_US="100000")
    row, samples = cells[0]
    bench.check(float(row["t_p75_us"]) < 100000 / 2, f"{sync}: late repetitions were kept: {row['t_p75_us']} us")
    bench.check([int(s["repetition"]) for s in samples] == list(range(12)), f"{sync}: numbers of samples")
    bench.check(sum("were late and made again" in line for line in ours) == 1, f"late repetitions are not told: {ours}")


def check_announced(bench):
    """A rank that waits in time and comes late all the same: its time counts from the announced start, not from its own."""
    (row, _), = measure(bench, [2], "round-time", "within", 12, PLANT="within", PLANT_US="20000")[0]
    bench.check(float(row["t_median_us"]) >= 20000 / 2 and row["slowest_rank"] == "1", f"an own start: {row['t_median_us']} us")
    bench.check(float(row["skew_us"]) >= 20000 / 2, f"skew {row['skew_us']} us")


def check_clocks(bench, sync):
    """Each rank has a clock of its own, seconds apart: times and skews are as with one clock."""
    for row, _ in measure(bench, [2, 3, 5], sync, "clocks", 12, PLANT="late", PLANT_US="10000", PLANT_CLOCK="1")[0]:
        what = f"{sync}, clocks of {row['ranks']} ranks"
        bench.check(10000 * (1 - 1e-3) <= float(row["t_median_us"]) < STEP_US / 100, f"{what}: {row['t_median_us']} us")
        bench.check(float(row["skew_us"]) < STEP_US / 100, f"{what}: skew {row['skew_us']} us")
        bench.check(int(row["slowest_rank"]) == int(row["ranks"]) - 1, f"{what}: slowest rank {row['slowest_rank']}")


def check_noop(bench, sync):
    for row, _ in measure(bench, RANKS, sync, "noop", 12, case="raw:noop shape=8")[0]:
        bench.check(row["batch"] == "1" and row["wrong"] == "0", f"{sync}: raw:noop: {row}")


def check_raw(bench, sync):
    """--raw all: one line for each rank and repetition, whose extremes are those of the repetition."""
    cells = measure(bench, [3], sync, "raw", 30, "--raw", "all")[0]
    row, samples = cells[0]
    bench.check(list(samples[0])[-2:] == ["rank", "t_us"] and len(samples) == 90, f"--raw all: {len(samples)} lines")
    for repetition in range(30):
        lines = [s for s in samples if int(s["repetition"]) == repetition]
        times = {int(s["rank"]): float(s["t_us"]) for s in lines}
        bench.check(sorted(times) == [0, 1, 2], f"--raw all: ranks {sorted(times)}")
        for extreme, name, rank in ((max, "t_max_us", "slowest_rank"), (min, "t_min_us", "fastest_rank")):
            told = {(float(s[name]), int(s[rank])) for s in lines}
            bench.check(told == {(extreme(times.values()), int(lines[0][rank]))} and
                        times[int(lines[0][rank])] == extreme(times.values()), f"--raw all: {name} {told} {times}")
    mean = sum(float(s["t_us"]) for s in samples) / len(samples)
    bench.check(abs(mean - float(row["osu_avg_us"])) <= 1e-9 * mean, f"--raw all: mean {mean}, {row['osu_avg_us']}")
    status, _, ours = bench.run(3, "time", CASE, "--output", "raw")
    bench.check(status == 2 and len(ours) == 1 and "samples.csv" in ours[0], f"other columns: {status} {ours}")


def last_level_cache():
    """Bytes, as the kernel tells; 0 where it does not."""
    caches = [(int((path / "level").read_text(encoding="ascii")), (path / "size").read_text(encoding="ascii").strip())
              for path in pathlib.Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")]
    return int(max(caches)[1].rstrip("K")) * 1024 if caches else 0


def check_cold(bench):
    """--cache cold: each rank has memory of its own to read through, together twice the last-level cache; nothing is
    batched, for only the first of a batch would be cold."""
    for case in ("all_sum_reduce shape=8 grid=Pc in-place=yes", "raw:memcpy shape=8"):
        words = ["--direction", "forward", "--cache"]
        (warm, _), = measure(bench, [2], "barrier", "cold", 6, *words, "warm", case=case)[0]
        (cold, _), = measure(bench, [2], "barrier", "cold", 6, *words, "cold", case=case)[0]
        bench.check((warm["cache"], cold["cache"]) == ("warm", "cold") and cold["batch"] == "1", f"--cache cold: {cold}")
        more = (float(cold["peak_rss_MB"]) - float(warm["peak_rss_MB"])) * 1e6
        bench.check(more > 0.9 * last_level_cache(), f"{case}: {more} B were read; expected {last_level_cache()}")


def main():
    bench = Bench(*sys.argv[1:3])
    for sync in SYNCS:
        check_last_rank(bench, sync)
        check_random_rank(bench, sync)
        check_clocks(bench, sync)
        check_noop(bench, sync)
    for sync in ("window", "round-time"):
        check_late(bench, sync)
    check_announced(bench)
    check_cold(bench)
    for sync in ("barrier", "window"):
        check_raw(bench, sync)
        for path in (bench.folder / "raw").iterdir():
            path.unlink()
    bench.end()


main()
