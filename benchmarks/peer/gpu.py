"""The program a good PyTorch user would run on a GPU: what benchmarks/compare times absorb's training step against.

torch.compile(fullgraph=True), bf16 autocast (the residual stream stays fp32), fused AdamW on fp32 weights, clipping, a
vocabulary padded to a multiple of 64, a tied head, gates of rank 32 for each head, experts by grouped_mm whose counts
never leave the GPU. An arm has forms (ways to write attention) and modes (of torch.compile): the fastest is the peer.

    python3 benchmarks/peer/gpu.py                                  # a table of every shape, arm, form and mode
    python3 benchmarks/peer/gpu.py --shape paper --arm dense moe-top2 --parallel 6
    python3 benchmarks/peer/gpu.py --resident --shape paper --arm dense --form sdpa --mode reduce-overhead
    python3 benchmarks/peer/gpu.py --device cpu --tiny              # tries the program where there is no GPU

--resident builds and warms one form, prints a line of JSON, and then answers every line "N" on its standard input with
the time of N steps, as `absorb bench --resident` does; "quit" ends it. --parallel compiles several at once and still
times them one by one.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

from resident import Cell, Resident, cells, fitting, resident_command
from shapes import FORMS, MODES, SHAPES, TINY, Shape


class Run:
    """One form of one arm, compiled and warm."""

    warmup = 4
    batches = 8  # of random tokens, resident on the device

    def __init__(self, shape: Shape, arm: str, form: str, mode: str, device: str):
        import torch  # late: the table and benchmarks/compare need none
        from model import LanguageModel, causal_blocks

        self.torch, self.shape, self.device = torch, shape, device
        self.cuda = device == "cuda"
        torch.manual_seed(1)
        torch.backends.cuda.enable_cudnn_sdp(False)  # PyTorch 2.11's has wrong gradients on Hopper
        before = torch.cuda.memory_allocated() if self.cuda else 0
        self.model = LanguageModel(shape, arm, form).to(device).train()
        self.causal = causal_blocks(shape, form, device)
        self.optimiser = torch.optim.AdamW(
            self.model.parameters(), lr=3e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True
        )
        generator = torch.Generator().manual_seed(1)
        size = (self.batches, shape.batch, shape.context + 1)
        text = torch.randint(shape.vocabulary, size, generator=generator).to(device)
        self.tokens, self.targets = text[..., :-1].contiguous(), text[..., 1:].contiguous()
        with torch.no_grad(), torch.autocast(device, torch.bfloat16):  # eager, for the residual's type
            if form != "flex":
                self.model(self.tokens[0, :1], self.targets[0, :1], self.causal)
        compiled_mode = None if mode == "default" else mode
        self.compiled = torch.compile(self.model, fullgraph=True, mode=compiled_mode)
        self.step_number = 0
        begin = time.perf_counter()
        if self.cuda:
            torch.cuda.reset_peak_memory_stats()
        first = self.step().item()
        for _ in range(self.warmup - 1):
            self.step()
        if self.cuda:
            torch.cuda.synchronize()
        self.about = {
            "program": "pytorch",
            "version": torch.__version__,
            "device": torch.cuda.get_device_name() if self.cuda else "cpu",
            "arm": arm,
            "form": form,
            "mode": mode,
            "residual": self.model.residual if form != "flex" else "float32",
            "parameters": self.parameters(),
            "tokens": shape.batch * shape.context,
            "loss": first,
            "compile_seconds": round(time.perf_counter() - begin, 1),
        }
        self.peak = torch.cuda.max_memory_allocated() - before if self.cuda else 0

    def parameters(self) -> int:
        """Every number once, rows that pad the vocabulary not counted."""
        padding = (self.shape.padded - self.shape.vocabulary) * self.shape.width
        return sum(p.numel() for p in self.model.parameters()) - padding

    def step(self):
        torch = self.torch
        batch = self.step_number % self.batches
        self.step_number += 1
        if self.cuda:
            torch.compiler.cudagraph_mark_step_begin()
        with torch.autocast(self.device, torch.bfloat16):
            loss, total = self.compiled(self.tokens[batch], self.targets[batch], self.causal)
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        return loss.detach()

    def time(self, steps: int) -> dict:
        """Milliseconds a step by CUDA events between steps (wall clock on a CPU); nothing is waited for in between."""
        torch = self.torch
        if self.cuda:
            events = [torch.cuda.Event(enable_timing=True) for _ in range(steps + 1)]
            events[0].record()
            for event in events[1:]:
                loss = self.step()
                event.record()
            torch.cuda.synchronize()
            times = [a.elapsed_time(b) for a, b in zip(events, events[1:])]
            self.peak = max(self.peak, torch.cuda.max_memory_allocated())
        else:
            times = []
            for _ in range(steps):
                begin = time.perf_counter()
                loss = self.step()
                times.append(1e3 * (time.perf_counter() - begin))
        return {
            "ms": statistics.median(times),
            "min_ms": min(times),
            "steps": steps,
            "peak_bytes": self.peak,
            "loss": loss.item(),
        }


def serve(run: Run) -> None:
    """The protocol of --resident, which absorb bench speaks too."""
    print(json.dumps({"ready": True} | run.about), flush=True)
    for line in sys.stdin:
        if line.strip() == "quit":
            return
        print(json.dumps(run.time(int(line))), flush=True)


def measure(batch: list[Cell], args: argparse.Namespace, extra: list[str]) -> None:
    """Builds a batch of cells at once, then times them one by one, in turns."""
    running = [
        (cell, Resident(resident_command(cell.shape, cell.arm, cell.form, cell.mode, extra=extra), cell.name))
        for cell in batch
    ]
    ready = []
    for cell, resident in running:
        if resident.ready():
            ready.append((cell, resident, []))
        else:
            cell.error = resident.error
    for _ in range(args.rounds):
        for cell, resident, times in ready:
            if (time_of := resident.time(args.steps)) is not None:
                times.append(time_of)
            cell.error = resident.error
    for cell, resident, times in ready:
        if times:
            median = sorted(times, key=lambda t: t["ms"])[len(times) // 2]
            cell.result = resident.about | median | {"first_loss": resident.about["loss"]}
    for _, resident in running:
        resident.quit()


def table(args: argparse.Namespace) -> None:
    extra = ["--device", args.device] + (["--tiny"] if args.tiny else [])
    named = [Cell(*name.split("/")) for name in args.cell]
    todo = named or cells(args.shape, args.arm, args.form, args.mode, args.device)
    begin, done = time.monotonic(), []
    head = f"{'shape':10} {'arm':10} {'form':12} {'mode':15} {'ms':>8} {'min':>8} {'Mtok/s':>7} {'GiB':>6} {'loss':>7}"
    print(f"{head} {'parameters':>11} {'compile s':>9}", flush=True)
    while todo and time.monotonic() - begin < args.seconds:
        batch, todo = fitting(todo, args.parallel, args.memory)
        measure(batch, args, extra)
        for cell in batch:
            print(row_of(cell), flush=True)
        done += batch
    best: dict[str, Cell] = {}
    for cell in done:
        if cell.result and (key := f"{cell.shape} {cell.arm}"):
            if key not in best or cell.result["ms"] < best[key].result["ms"]:
                best[key] = cell
    print("\nbest form of each arm")
    for cell in best.values():
        print(row_of(cell))
    for cell in todo:
        print(f"not measured within {args.seconds:.0f} s: {cell.name}")
    if args.json:
        args.json.write_text(json.dumps([cell.__dict__ for cell in done], indent=1) + "\n")


def row_of(cell: Cell) -> str:
    front = f"{cell.shape:10} {cell.arm:10} {cell.form:12} {cell.mode:15}"
    if cell.result is None:
        return f"{front} failed: {cell.error}"
    r = cell.result
    rate, peak = r["tokens"] / r["ms"] / 1e3, r["peak_bytes"] / 2**30
    back = f"{r['first_loss']:7.3f} {r['parameters']:11d} {r['compile_seconds']:9.1f}"
    return f"{front} {r['ms']:8.3f} {r['min_ms']:8.3f} {rate:7.3f} {peak:6.2f} {back}"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--arm", nargs="+", choices=FORMS, default=list(FORMS))
    parser.add_argument("--form", nargs="+", help="default: every form that an arm has")
    parser.add_argument("--mode", nargs="+", choices=MODES, default=MODES)
    parser.add_argument("--cell", nargs="+", default=[], help="SHAPE/ARM/FORM/MODE ... instead, in this order")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--tiny", action="store_true", help="a hundredth of the work, to try the program")
    parser.add_argument("--steps", type=int, default=20, help="timed steps a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--parallel", type=int, default=1, help="how many compile at once")
    parser.add_argument("--memory", type=float, default=72, help="GiB of the GPU that they may fill then")
    parser.add_argument("--seconds", type=float, default=1e9, help="start no more builds after this long")
    parser.add_argument("--json", type=Path, help="write the table here too")
    parser.add_argument("--resident", action="store_true", help="one shape, arm, form and mode; see above")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    if not args.resident:
        table(args)
        return
    shape = (TINY if args.tiny else SHAPES)[args.shape[0]]
    form = args.form[0] if args.form else FORMS[args.arm[0]][0]
    serve(Run(shape, args.arm[0], form, args.mode[0], args.device))


if __name__ == "__main__":
    main()
