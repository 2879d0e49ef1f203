"""Times absorb's training step beside PyTorch eager's: same machine, same threads, same work, in one run.

The two programs take turns (A B A B ...), a few steps at a time, so that whatever else the machine does meets both.
The ratio is absorb's tokens per second over PyTorch's, from medians over all rounds; "cpu" is the same from processor
time, which a busy machine can't stretch.

    pip install torch==2.11.0 numpy
    make bench                                        # builds build/release/absorb_bench
    python3 benchmarks/peer/compare.py --json ratios.json
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TIMES = ("median_ms", "min_ms", "cpu_median_ms", "cpu_min_ms")


def run_absorb(program: Path, size: str, arm: str, threads: int, steps: int) -> dict:
    command = [program, f"--threads={threads}", f"--steps={steps}", "--benchmark_format=json"]
    command.append(f"--benchmark_filter=^step/{size}/{arm}/")
    out = subprocess.run(command, env=environment(threads), capture_output=True, text=True, check=True).stdout
    (row,) = json.loads(out)["benchmarks"]
    return row


def run_peer(python: str, size: str, arm: str, threads: int, steps: int) -> dict:
    command = [python, HERE / "step.py", "--size", size, "--arm", arm, f"--threads={threads}", f"--steps={steps}"]
    out = subprocess.run(command, env=environment(threads), capture_output=True, text=True, check=True).stdout
    return json.loads(out)


def environment(threads: int) -> dict:
    return os.environ | {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}


def same_work(absorb: dict, peer: dict, cell: str) -> None:
    for key in ("parameters", "tokens"):
        if int(absorb[key]) != peer[key]:
            sys.exit(f"{cell}: absorb has {int(absorb[key])} {key}, PyTorch {peer[key]}: not the same work")
    if abs(absorb["loss"] - peer["loss"]) > 0.1:
        sys.exit(f"{cell}: losses {absorb['loss']:.3f} and {peer['loss']:.3f} on random tokens: not the same model")


def compare(args: argparse.Namespace, size: str, arm: str) -> dict:
    steps = {"small": args.steps, "paper": max(2, args.steps // 4)}[size]
    rounds: dict[str, list[dict]] = {"absorb": [], "pytorch": []}
    for _ in range(args.rounds):
        rounds["absorb"].append(run_absorb(args.absorb, size, arm, args.threads, steps))
        rounds["pytorch"].append(run_peer(args.python, size, arm, args.threads, steps))
    same_work(rounds["absorb"][0], rounds["pytorch"][0], f"{size}/{arm}")
    row = {"size": size, "arm": arm, "threads": args.threads, "tokens": rounds["pytorch"][0]["tokens"]}
    for program, results in rounds.items():
        for key in TIMES:
            pick = min if "min" in key else statistics.median
            row[f"{program}_{key}"] = pick(result[key] for result in results)
        row[f"{program}_tokens_per_sec"] = 1e3 * row["tokens"] / row[f"{program}_median_ms"]
    for key in TIMES:
        row[f"ratio_{key}"] = row[f"pytorch_{key}"] / row[f"absorb_{key}"]
    row["ratio"] = row["ratio_median_ms"]
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--absorb", type=Path, default=ROOT / "build/release/absorb_bench")
    parser.add_argument("--python", default=sys.executable, help="the Python that has torch 2.11")
    parser.add_argument("--size", nargs="+", choices=("small", "paper"), default=["small", "paper"])
    parser.add_argument("--arm", nargs="+", default=["dense", "attention", "moe", "both"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3, help="turns of each program")
    parser.add_argument("--steps", type=int, default=12, help="timed steps a turn at the small size; a quarter at paper size")
    parser.add_argument("--json", type=Path, help="write the table here too")
    args = parser.parse_args()
    if not args.absorb.exists():
        sys.exit(f"{args.absorb} does not exist: run `make bench`, or pass --absorb FILE")
    head = f"{'size':6} {'arm':10} {'absorb ms':>10} {'PyTorch ms':>11} {'ratio':>6}   {'min':>6} {'cpu':>6} {'cpu min':>8}"
    print(f"{args.threads} thread(s); ratio = absorb's tokens per second over PyTorch eager's\n{head}", flush=True)
    rows = []
    for size in args.size:
        for arm in args.arm:
            row = compare(args, size, arm)
            rows.append(row)
            print(
                f"{size:6} {arm:10} {row['absorb_median_ms']:10.1f} {row['pytorch_median_ms']:11.1f} {row['ratio']:6.2f}   "
                f"{row['ratio_min_ms']:6.2f} {row['ratio_cpu_median_ms']:6.2f} {row['ratio_cpu_min_ms']:8.2f}",
                flush=True,
            )
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
