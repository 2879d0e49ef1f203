"""One training step in PyTorch eager: the program that absorb's step is timed against (see compare.py).

The model is transformer/model.cpp's (docs/science.md section 2) written as a PyTorch user would write it: nn.Linear,
fused attention where it applies, fused AdamW, clip_grad_norm_. Prints one JSON line per arm.

    pip install torch==2.11.0 numpy
    python3 benchmarks/peer/step.py --size small --arm attention --threads 1
"""

import argparse
import json
import math
import statistics
import time
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Size:
    """The same numbers as benchmarks/arms.cpp; compare.py refuses to compare when parameters or tokens differ."""

    vocabulary: int
    width: int
    layers: int
    heads: int
    context: int
    batch: int  # sequences a step
    dropout: float
    apply: str  # how the soft gates enter attention
    penalty: float  # coefficient of the sparsity penalty on the gates
    router: str  # of the experts
    hidden: int  # of an expert
    biases: bool  # of experts
    renormalise: bool  # softmax over the kept experts; otherwise over all of them
    rank: int = 32
    experts: int = 8
    top: int = 2
    balance: float = 0.01


SIZES = {
    "small": Size(256, 128, 2, 4, 128, 32, 0.0, "log_bias", 0.0, "bilinear", 64, True, True),
    "paper": Size(50257, 256, 6, 4, 512, 2, 0.1, "scale_logits", 1.0, "linear", 512, False, False),
}
ARMS = ("dense", "attention", "moe", "both")


class Gate(nn.Module):
    """Soft bilinear gates: sigmoid((W_a x_t) . (W_b x_s) / sqrt(r)) per head."""

    def __init__(self, size: Size):
        super().__init__()
        self.size = size
        self.query = nn.Linear(size.width, size.heads * size.rank, bias=False)
        self.key = nn.Linear(size.width, size.heads * size.rank, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        b, t, _ = x.shape
        a = self.query(x).view(b, t, self.size.heads, self.size.rank).transpose(1, 2)
        c = self.key(x).view(b, t, self.size.heads, self.size.rank).transpose(1, 2)
        return a @ c.transpose(-2, -1) / math.sqrt(self.size.rank)  # [B,H,T,T]


class Attention(nn.Module):
    sdpa_bias = False  # log_bias through the fused operation's mask: slower on a CPU, where a learned mask isn't fused

    def __init__(self, size: Size, routed: bool):
        super().__init__()
        self.size = size
        self.qkv = nn.Linear(size.width, 3 * size.width, bias=False)
        self.out = nn.Linear(size.width, size.width, bias=False)
        self.gate = Gate(size) if routed else None
        future = torch.ones(size.context, size.context, dtype=torch.bool).triu(1)
        self.register_buffer("future", future, persistent=False)

    def forward(self, x: Tensor, losses: list[Tensor]) -> Tensor:
        b, t, width = x.shape
        q, k, v = (y.view(b, t, self.size.heads, -1).transpose(1, 2) for y in self.qkv(x).chunk(3, dim=-1))
        drop = self.size.dropout if self.training else 0.0
        if self.gate is None:
            y = F.scaled_dot_product_attention(q, k, v, dropout_p=drop, is_causal=True)
        elif self.size.apply == "log_bias":
            y = self.biased(q, k, v, self.gate(x), drop)
        else:
            y = self.scaled(q, k, v, self.gate(x), drop, losses)
        return self.out(y.transpose(1, 2).reshape(b, t, width))

    def biased(self, q: Tensor, k: Tensor, v: Tensor, scores: Tensor, drop: float) -> Tensor:
        if self.sdpa_bias:
            bias = F.logsigmoid(scores).masked_fill(self.future, -math.inf)
            return F.scaled_dot_product_attention(q, k, v, attn_mask=bias, dropout_p=drop)
        logits = q @ k.transpose(-2, -1) / math.sqrt(q.size(-1)) + F.logsigmoid(scores)
        p = logits.masked_fill(self.future, -math.inf).softmax(-1)
        return F.dropout(p, drop) @ v

    def scaled(self, q: Tensor, k: Tensor, v: Tensor, scores: Tensor, drop: float, losses: list[Tensor]) -> Tensor:
        w = torch.sigmoid(scores)
        if self.size.penalty:
            losses.append(self.size.penalty * F.relu(0.875 - (1 - w.mean())) ** 2)
        logits = q @ k.transpose(-2, -1) / math.sqrt(q.size(-1)) * w
        p = logits.masked_fill(self.future, -math.inf).softmax(-1)
        return F.dropout(p, drop) @ v


class FeedForward(nn.Module):
    def __init__(self, size: Size, hidden: int, biases: bool = True):
        super().__init__()
        self.up = nn.Linear(size.width, hidden, bias=biases)
        self.down = nn.Linear(hidden, size.width, bias=biases)
        self.dropout = nn.Dropout(size.dropout)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(self.dropout(F.gelu(self.up(x))))


class Experts(nn.Module):
    """Top-k of E experts: a loop over experts with index_add_, as in the usual eager implementations."""

    def __init__(self, size: Size):
        super().__init__()
        self.size = size
        if size.router == "bilinear":
            self.query = nn.Linear(size.width, size.rank, bias=False)
            self.table = nn.Linear(size.rank, size.experts, bias=False)
        else:
            self.table = nn.Linear(size.width, size.experts, bias=False)
        self.experts = nn.ModuleList(FeedForward(size, size.hidden, size.biases) for _ in range(size.experts))

    def scores(self, x: Tensor) -> Tensor:
        if self.size.router == "bilinear":
            x = self.query(x) / math.sqrt(self.size.rank)
        return self.table(x)

    def forward(self, x: Tensor, losses: list[Tensor]) -> Tensor:
        flat = x.reshape(-1, self.size.width)
        scores = self.scores(flat)  # [N,E]
        probability = scores.softmax(-1)
        if self.size.renormalise:
            best, kept = scores.topk(self.size.top, dim=-1)
            weight = best.softmax(-1)
        else:
            weight, kept = probability.topk(self.size.top, dim=-1)
        share = torch.bincount(kept.flatten(), minlength=self.size.experts) / kept.numel()
        losses.append(self.size.balance * self.size.experts * (share * probability.mean(0)).sum())
        y = torch.zeros_like(flat)
        for index, expert in enumerate(self.experts):
            token, slot = torch.where(kept == index)
            y.index_add_(0, token, expert(flat[token]) * weight[token, slot].unsqueeze(-1))
        return y.view_as(x)


class Block(nn.Module):
    def __init__(self, size: Size, routed: bool, experts: bool):
        super().__init__()
        self.attention_norm = nn.LayerNorm(size.width)
        self.attention = Attention(size, routed)
        self.feed_forward_norm = nn.LayerNorm(size.width)
        self.experts = Experts(size) if experts else None
        self.feed_forward = None if experts else FeedForward(size, 4 * size.width)
        self.dropout = nn.Dropout(size.dropout)

    def forward(self, x: Tensor, losses: list[Tensor]) -> Tensor:
        x = x + self.attention(self.attention_norm(x), losses)
        y = self.feed_forward_norm(x)
        return x + self.dropout(self.experts(y, losses) if self.experts else self.feed_forward(y))


class LanguageModel(nn.Module):
    def __init__(self, size: Size, arm: str):
        super().__init__()
        self.token = nn.Embedding(size.vocabulary, size.width)
        self.position = nn.Embedding(size.context, size.width)
        self.dropout = nn.Dropout(size.dropout)
        routed, experts = arm in ("attention", "both"), arm in ("moe", "both")
        self.blocks = nn.ModuleList(Block(size, routed, experts) for _ in range(size.layers))
        self.norm = nn.LayerNorm(size.width)
        self.head = nn.Linear(size.width, size.vocabulary, bias=False)
        self.apply(self.initialise)
        self.head.weight = self.token.weight

    @staticmethod
    def initialise(module: nn.Module) -> None:
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, std=0.02)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)

    def forward(self, tokens: Tensor, targets: Tensor) -> tuple[Tensor, list[Tensor]]:
        losses: list[Tensor] = []
        x = self.dropout(self.token(tokens) + self.position.weight[: tokens.size(1)])
        for block in self.blocks:
            x = block(x, losses)
        logits = self.head(self.norm(x))
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten()), losses


def time_steps(size: Size, arm: str, steps: int, warmup: int) -> dict:
    torch.manual_seed(1)
    model = LanguageModel(size, arm)
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    seconds, cpu_seconds = [], []
    loss = torch.tensor(math.nan)
    for step in range(warmup + steps):
        text = torch.randint(size.vocabulary, (size.batch, size.context + 1))
        begin, cpu_begin = time.perf_counter(), time.process_time()
        loss, extra = model(text[:, :-1].contiguous(), text[:, 1:].contiguous())
        torch.stack([loss, *extra]).sum().backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        if step >= warmup:
            seconds.append(time.perf_counter() - begin)
            cpu_seconds.append(time.process_time() - cpu_begin)
    median = statistics.median(seconds)
    tokens = size.batch * size.context
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "tokens": tokens,
        "steps": steps,
        "loss": loss.item(),
        "median_ms": 1e3 * median,
        "min_ms": 1e3 * min(seconds),
        "cpu_median_ms": 1e3 * statistics.median(cpu_seconds),  # of all threads: what a busy machine can't stretch
        "cpu_min_ms": 1e3 * min(cpu_seconds),
        "tokens_per_sec": tokens / median,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--arm", choices=ARMS, nargs="+", default=list(ARMS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=20, help="timed steps")
    parser.add_argument("--warmup", type=int, default=3)
    parser.add_argument("--sdpa_bias", action="store_true", help="log_bias through scaled_dot_product_attention's mask")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    Attention.sdpa_bias = args.sdpa_bias
    for arm in args.arm:
        result = time_steps(SIZES[args.size], arm, args.steps, args.warmup)
        about = {"program": "pytorch", "version": torch.__version__, "size": args.size, "arm": arm}
        print(json.dumps(about | {"threads": torch.get_num_threads()} | result), flush=True)


if __name__ == "__main__":
    main()
