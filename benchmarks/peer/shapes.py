"""What is timed: sizes, and the ways in which PyTorch can write each arm. No torch here, so tables start at once."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Shape:
    """benchmarks/arms/<name>.toml in PyTorch: benchmarks/compare refuses when parameters or tokens differ."""

    width: int
    heads: int
    context: int
    batch: int  # sequences a step
    layers: int = 6
    vocabulary: int = 50257
    dropout: float = 0.0
    penalty: float = 0.0  # coefficient of the sparsity penalty of soft gates that scale logits
    rank: int = 32
    keys: int = 64  # that a hard gate keeps
    experts: int = 8
    top: int = 2
    balance: float = 0.01

    @property
    def padded(self) -> int:
        return -(-self.vocabulary // 64) * 64

    def gibibytes(self, arm: str, form: str) -> float:
        """What a process takes of the GPU, roughly: half as much again as its tensors, which are two sets of logits and
        a few T x T matrices a layer."""
        matrices = 0 if arm == "dense" or arm.startswith("moe") else 4 if form.startswith("math") else 3
        logits = self.batch * self.context * self.padded
        scores = self.layers * self.batch * self.heads * self.context**2
        return 1 + 1.6 * (2 * 2 * logits + 2 * matrices * scores) / 2**30

    def hidden(self, arm: str) -> int:
        """Of one expert: two of the kept ones, or all of the soft ones, make the dense layer."""
        return 4 * self.width // (self.top if arm == "moe-top2" else self.experts)


SHAPES = {
    "peer-512": Shape(384, 6, 512, 64),
    "peer-2048": Shape(384, 6, 2048, 16),
    "paper": Shape(256, 4, 512, 16, dropout=0.1, penalty=1.0),
}
TINY = {name: replace(s, context=64, batch=2, vocabulary=300, layers=2, keys=8) for name, s in SHAPES.items()}

# What an arm's attention or experts can be written as. flex: FlexAttention with a score_mod that reads the scores;
# -sort: the threshold by a sort, which the compiler fuses for rows of up to 512, in place of topk.
FORMS = {
    "dense": ["sdpa"],
    "soft-scale": ["math", "flex"],
    "soft-bias": ["sdpa", "math", "flex"],
    "hard-64": ["sdpa", "math", "flex", "sdpa-sort", "math-sort"],
    "moe-top2": ["grouped"],
    "moe-soft": ["concatenated"],
}
# Of torch.compile.
MODES = ["default", "reduce-overhead"]


def forms_of(shape: Shape, arm: str, device: str) -> list[str]:
    """FlexAttention has no dropout, and no gradient on a CPU; longer rows are sorted by the library, which is slow."""

    def runs(form: str) -> bool:
        if form == "flex":
            return shape.dropout == 0 and device != "cpu"
        return not form.endswith("-sort") or shape.context <= 512

    return [form for form in FORMS[arm] if runs(form)]
