"""How long `perfcast predict` takes for one descriptor, from the start of the command to its end.

python benchmarks/predict.py DESCRIPTOR --predictor DIR [--repeats N]
"""

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

GOAL_S = 2.0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("descriptor")
    parser.add_argument("--predictor", required=True)
    parser.add_argument("--repeats", type=int, default=10)
    arguments = parser.parse_args()
    command = [Path(sys.executable).with_name("perfcast"), "predict", arguments.descriptor]
    seconds = []
    for _ in range(arguments.repeats):
        start = time.perf_counter()
        subprocess.run([*command, "--predictor", arguments.predictor], check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - start)
    middle = statistics.median(seconds)
    print(f"median {middle:.2f} s, fastest {min(seconds):.2f} s, slowest {max(seconds):.2f} s (goal {GOAL_S:.0f} s)")


if __name__ == "__main__":
    main()
