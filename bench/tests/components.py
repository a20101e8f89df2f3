"""components.py TGBENCH: events of components that the packaged PAPI does not have; run by scripts/build-papi --test, with
its library in LD_LIBRARY_PATH. A broadcast is sent over the loopback interface. PAPI reads the interfaces' counters at most
once a second, so that a shorter operation may see none of its own bytes: the number must be there, not be large."""
import json
import subprocess
import sys

from launch import Bench

SIZE = 1 << 20
EVENTS = {"example:::EXAMPLE_CONSTANT": lambda count, row: count == 42,
          "net:::lo:rx:bytes": lambda count, row: count >= 0,
          "stealtime:::TOTAL": lambda count, row: count >= 0,
          "sde:::TENSORGAUGE::bytes": lambda count, row: count == int(row["moved_bytes"])}


def main():
    program = sys.argv[1]
    info = subprocess.run([program, "list", "--json"], capture_output=True, text=True, check=True).stdout
    bench = Bench(program, json.loads(info)["build"]["mpiexec"])
    status, _, ours = bench.run(2, "time", f"broadcast shape={SIZE // 4} from=1 to=Pc", "--direction", "forward",
                                "--max-reps", "10", "--counters", ",".join(EVENTS), "--output", "run",
                                OMPI_MCA_btl="self,tcp", OMPI_MCA_btl_tcp_if_include="lo")
    bench.check(status == 0 and not ours, f"status {status}: {ours}")
    row, = bench.rows("run")
    for count in bench.rows("run", "counters"):
        print(f"{count['event']}: min {count['min']} median {count['median']} max {count['max']} {count['reason']}")
        bench.check(count["max"] != "" and EVENTS[count["event"]](float(count["max"]), row), f"{count}")
    bench.end()


main()
