"""The language model of transformer/model.cpp as a PyTorch user would write it for torch.compile, arm by arm."""

import math

import torch
import torch.nn.functional as F
from shapes import Shape
from torch import Tensor, nn
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention


def future(length: int, device: torch.device) -> Tensor:
    """[T,T] true where a key is hidden; made of indices, which the compiler folds into whoever reads it."""
    at = torch.arange(length, device=device)
    return at[None, :] > at[:, None]


class Attention(nn.Module):
    """Dense, or under gates sigmoid(a_t . b_s / sqrt(r)) of factors that are linear in the input, for each head."""

    def __init__(self, shape: Shape, arm: str, form: str):
        super().__init__()
        self.shape, self.arm = shape, arm
        self.form, _, self.chooses_by = form.partition("-")
        self.qkv = nn.Linear(shape.width, 3 * shape.width, bias=False)
        self.out = nn.Linear(shape.width, shape.width, bias=False)
        self.routed = arm.startswith(("soft", "hard"))
        if self.routed:
            self.query = nn.Linear(shape.width, shape.heads * shape.rank, bias=False)
            self.key = nn.Linear(shape.width, shape.heads * shape.rank, bias=False)

    def heads(self, x: Tensor) -> Tensor:
        return x.view(x.size(0), x.size(1), self.shape.heads, -1).transpose(1, 2)

    def forward(self, x: Tensor, causal: BlockMask | None) -> tuple[Tensor, Tensor | None]:
        q, k, v = (self.heads(y) for y in self.qkv(x).chunk(3, dim=-1))
        drop = self.shape.dropout if self.training else 0.0
        penalty = None
        if not self.routed:
            y = F.scaled_dot_product_attention(q, k, v, dropout_p=drop, is_causal=True)
        else:
            a, b = self.heads(self.query(x)), self.heads(self.key(x))
            scores = (a * self.shape.rank**-0.5) @ b.transpose(-2, -1)  # [B,H,T,T]
            if self.arm == "soft-scale":
                y, penalty = self.scaled(q, k, v, scores, drop, causal)
            else:
                y = self.biased(q, k, v, scores, drop, causal)
        return self.out(y.transpose(1, 2).reshape(x.shape)), penalty

    def scaled(self, q, k, v, scores, drop, causal):
        gates = torch.sigmoid(scores)
        penalty = None
        if self.shape.penalty:
            penalty = self.shape.penalty * F.relu(0.875 - (1 - gates.mean())) ** 2
        if self.form == "flex":
            y = flex_attention(q, k, v, score_mod=lambda s, b, h, i, j: s * gates[b, h, i, j], block_mask=causal)
            return y, penalty
        logits = (q @ k.transpose(-2, -1)) * q.size(-1) ** -0.5 * gates
        p = logits.masked_fill(future(q.size(2), q.device), -math.inf).softmax(-1)
        return F.dropout(p, drop) @ v, penalty

    def biased(self, q, k, v, scores, drop, causal):
        hidden = future(q.size(2), q.device)
        if self.arm == "hard-64":
            hidden = hidden | self.rejected(scores.detach(), hidden)
        bias = F.logsigmoid(scores)
        if self.form == "flex":
            bias = bias.masked_fill(hidden, -math.inf) if self.arm == "hard-64" else bias
            return flex_attention(q, k, v, score_mod=lambda s, b, h, i, j: s + bias[b, h, i, j], block_mask=causal)
        if self.form == "sdpa":
            mask = bias.masked_fill(hidden, -math.inf).to(q.dtype)
            return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=drop)
        logits = (q @ k.transpose(-2, -1)) * q.size(-1) ** -0.5 + bias
        return F.dropout(logits.masked_fill(hidden, -math.inf).softmax(-1), drop) @ v

    def rejected(self, scores: Tensor, hidden: Tensor) -> Tensor:
        """True below the best `keys` of what is visible, of which the own position is one."""
        keys = min(self.shape.keys, scores.size(-1))
        own = torch.eye(scores.size(-1), dtype=torch.bool, device=scores.device)
        ranked = scores.masked_fill(hidden, -math.inf).masked_fill(own, math.inf)
        if self.chooses_by == "sort":
            return ranked < ranked.sort(dim=-1, descending=True).values[..., keys - 1 : keys]
        return ranked < ranked.topk(keys, dim=-1).values[..., -1:]


class FeedForward(nn.Module):
    def __init__(self, shape: Shape):
        super().__init__()
        self.shape = shape
        self.up = nn.Linear(shape.width, 4 * shape.width)
        self.down = nn.Linear(4 * shape.width, shape.width)

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        return self.down(F.dropout(F.gelu(self.up(x)), self.shape.dropout, self.training)), None


class Permute(torch.autograd.Function):
    """Rows by a permutation: its gradient is gathered by the inverse, where indexing would add with atomics."""

    @staticmethod
    def forward(ctx, x: Tensor, order: Tensor, inverse: Tensor) -> Tensor:
        ctx.save_for_backward(order, inverse)
        return x[order]

    @staticmethod
    def backward(ctx, gradient: Tensor):
        order, inverse = ctx.saved_tensors
        return gradient[inverse], None, None


class Experts(nn.Module):
    """All experts side by side under sigmoid weights, or two a token under softmax ones, by grouped_mm."""

    def __init__(self, shape: Shape, arm: str):
        super().__init__()
        self.shape, self.arm = shape, arm
        self.hidden = shape.hidden(arm)
        self.router = nn.Linear(shape.width, shape.experts, bias=False)
        self.up = nn.Parameter(torch.empty(shape.experts, shape.width, self.hidden).normal_(std=0.02))
        self.down = nn.Parameter(torch.empty(shape.experts, self.hidden, shape.width).normal_(std=0.02))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        flat = x.reshape(-1, self.shape.width)
        scores = self.router(flat).float()  # [N,E]
        y, loss = self.soft(flat, scores) if self.arm == "moe-soft" else self.kept(flat, scores)
        return y.view(x.shape), loss

    def soft(self, x: Tensor, scores: Tensor) -> tuple[Tensor, None]:
        h = F.gelu(x @ self.up.transpose(0, 1).reshape(self.shape.width, -1))
        h = F.dropout(h, self.shape.dropout, self.training).view(-1, self.shape.experts, self.hidden)
        h = h * torch.sigmoid(scores).unsqueeze(-1).to(h.dtype)
        return h.flatten(1) @ self.down.flatten(0, 1), None

    def kept(self, x: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
        experts, top = self.shape.experts, self.shape.top
        probability = scores.softmax(-1)
        weight, kept = probability.topk(top, dim=-1)  # [N,K]
        expert = kept.flatten()
        counts = (expert[:, None] == torch.arange(experts, device=x.device)).sum(0)  # they never leave the GPU
        balance = self.shape.balance * experts * (counts / expert.numel() * probability.mean(0)).sum()
        order = expert.argsort(stable=True)
        inverse = torch.empty_like(order).scatter_(0, order, torch.arange(order.numel(), device=x.device))
        ends = counts.cumsum(0).to(torch.int32)
        pairs = x.bfloat16().unsqueeze(1).expand(-1, top, -1).reshape(-1, self.shape.width)
        h = Permute.apply(pairs, order, inverse)
        h = F.gelu(F.grouped_mm(h, self.up.bfloat16(), offs=ends))
        h = F.grouped_mm(F.dropout(h, self.shape.dropout, self.training), self.down.bfloat16(), offs=ends)
        y = Permute.apply(h, inverse, order).view(-1, top, self.shape.width)
        return (y * weight.unsqueeze(-1)).sum(1), balance


class Block(nn.Module):
    def __init__(self, shape: Shape, arm: str, form: str):
        super().__init__()
        self.shape = shape
        self.attention_norm, self.feed_forward_norm = nn.LayerNorm(shape.width), nn.LayerNorm(shape.width)
        self.attention = Attention(shape, arm, form)
        self.feed_forward = Experts(shape, arm) if arm.startswith("moe") else FeedForward(shape)

    def forward(self, x: Tensor, causal: BlockMask | None) -> tuple[Tensor, list[Tensor]]:
        y, penalty = self.attention(self.attention_norm(x), causal)
        x = x + y
        y, balance = self.feed_forward(self.feed_forward_norm(x))
        x = x + F.dropout(y, self.shape.dropout, self.training)
        return x, [loss for loss in (penalty, balance) if loss is not None]


class LanguageModel(nn.Module):
    """Rows above the vocabulary only make its product a better size: no target is one of them."""

    residual = "?"  # type of the residual stream, known after a pass that isn't compiled

    def __init__(self, shape: Shape, arm: str, form: str):
        super().__init__()
        self.shape = shape
        self.token = nn.Embedding(shape.padded, shape.width)
        self.position = nn.Embedding(shape.context, shape.width)
        self.blocks = nn.ModuleList(Block(shape, arm, form) for _ in range(shape.layers))
        self.norm = nn.LayerNorm(shape.width)
        self.head = nn.Linear(shape.width, shape.padded, bias=False)
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.Embedding)):
                nn.init.normal_(module.weight, std=0.02)
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)
        self.head.weight = self.token.weight

    def forward(self, tokens: Tensor, targets: Tensor, causal: BlockMask | None) -> tuple[Tensor, Tensor]:
        """Mean nats a token, and the same with the routing losses, which is what trains."""
        losses: list[Tensor] = []
        x = self.token(tokens) + self.position.weight[: tokens.size(1)]
        x = F.dropout(x, self.shape.dropout, self.training)
        for block in self.blocks:
            x, own = block(x, causal)
            losses += own
        if not torch.compiler.is_compiling():
            self.residual = str(x.dtype).removeprefix("torch.")
        logits = self.head(self.norm(x))
        loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        return loss, torch.stack([loss, *losses]).sum() if losses else loss


def causal_blocks(shape: Shape, form: str, device: str) -> BlockMask | None:
    """FlexAttention's own mask, by blocks; other forms need none."""
    if form != "flex":
        return None
    return create_block_mask(lambda b, h, i, j: i >= j, None, None, shape.context, shape.context, device=device)
