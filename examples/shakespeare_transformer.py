"""A character transformer on the plays of Shakespeare, against a 5-gram: bits per character, and new lines of verse.

PROBGEN_DATA=folder OMP_NUM_THREADS=1 python examples/shakespeare_transformer.py     ten minutes of one core
python examples/shakespeare_transformer.py --smoke                                   seconds, on the embedded part of the text

The law is that of a window of T characters cut anywhere out of the text, so the first character of a window is drawn knowing
nothing. To score a text, windows are laid over it that overlap by T - stride characters, and of each (but the first) only the
last `stride` characters are counted: each character of the text is scored once, and knows at least the T - stride before it.
The 5-gram knows the 4 characters before, is an interpolated Kneser-Ney model with three discounts an order, and sees the same
text.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

import probgen as pg
from probgen.data import Batches, DataNotFoundError, Text, load_shakespeare
from probgen.demo import Measured, software
from probgen.distributions import AutoregressiveLaw
from probgen.distributions.elements import CategoricalElement
from probgen.infer import EMA, Callback, MaximumLikelihood, TimeBudget, fit
from probgen.infer.training import Training
from probgen.nn.causal import CausalTransformer

HEADER = ["model", "validation, bits", "test, bits", "parameters", "steps", "CPU s"]
BLOCK = 500


class NGram:
    r"""Interpolated Kneser-Ney: :math:`p_k(w \mid h) = \frac{c(hw) - D(c(hw))}{c(h)} + \lambda(h)\, p_{k-1}(w \mid h')`.

    c counts in the highest order, and in lower orders the different characters before hw; D is one of three discounts of the
    order, for counts 1, 2 and above; :math:`\lambda(h)` is what they free; a context never seen leaves all to the order below.

    References:
        Chen, Goodman (1999). An empirical study of smoothing techniques for language modeling. https://doi.org/10.1006/csla.1999.0128
    """

    def __init__(self, codes: Tensor, symbols: int, order: int) -> None:
        self.symbols, self.order = symbols, order
        grams = _keys(codes.unfold(0, order, 1), symbols)
        self.tables = []
        for k in range(order, 0, -1):
            keys, counts = grams.unique(return_counts=True)
            self.tables.insert(0, _Order(keys, counts, symbols))
            grams = keys % symbols ** (k - 1)

    def probability(self, windows: Tensor) -> Tensor:
        """Of the last character of each window ``[n, k]`` given those before, ``[n]``."""
        p = torch.full((len(windows),), 1 / self.symbols, dtype=torch.float64)
        for k in range(1, min(self.order, windows.shape[1]) + 1):
            key = _keys(windows[:, -k:], self.symbols)
            p = self.tables[k - 1].mixed(key, p)
        return p

    def bits(self, codes: Tensor) -> Tensor:
        """Minus log2 p of each character of a text ``[n]``."""
        starts = [self.probability(codes[None, : k + 1]) for k in range(self.order - 1)]
        return -torch.cat([*starts, self.probability(codes.unfold(0, self.order, 1))]).log2()


class _Order:
    """The counts of one order, and what its discounts free in each context."""

    def __init__(self, keys: Tensor, counts: Tensor, symbols: int) -> None:
        self.keys, self.symbols = keys, symbols
        n = [max(int((counts == c).sum()), 1) for c in (1, 2, 3, 4)]
        share = n[0] / (n[0] + 2 * n[1])
        by_count = torch.tensor([c - (c + 1) * share * n[c] / n[c - 1] for c in (1, 2, 3)], dtype=torch.float64)
        discount = by_count.clamp(0.05, 0.95)[counts.clamp_max(3) - 1]
        self.contexts, where = torch.div(keys, symbols, rounding_mode="floor").unique(return_inverse=True)
        empty = torch.zeros(len(self.contexts), dtype=torch.float64)
        total = empty.index_add(0, where, counts.double())
        self.kept = (counts - discount) / total[where]
        self.freed = empty.index_add(0, where, discount) / total

    def mixed(self, key: Tensor, below: Tensor) -> Tensor:
        """The probability of this order, from that of the order below."""
        kept = _found(self.keys, self.kept, key, 0.0)
        freed = _found(self.contexts, self.freed, torch.div(key, self.symbols, rounding_mode="floor"), 1.0)
        return kept + freed * below


def _keys(windows: Tensor, symbols: int) -> Tensor:
    """One integer for each row of codes."""
    place = symbols ** torch.arange(windows.shape[1] - 1, -1, -1)
    return (windows * place).sum(1)


def _found(keys: Tensor, values: Tensor, wanted: Tensor, otherwise: float) -> Tensor:
    """The values at sorted keys, and another number where a key is missing."""
    index = torch.searchsorted(keys, wanted).clamp_max(len(keys) - 1)
    return torch.where(keys[index] == wanted, values[index], otherwise)


class Record(Callback):
    """Writes how far the training is: steps, seconds of the processor, nats a character."""

    def __init__(self, budget: TimeBudget, length: int, path: Path) -> None:
        self.budget, self.length, self.path = budget, length, path

    def on_log(self, training: Training) -> None:
        """One line more."""
        losses = training.history.losses[-200:]
        nats = sum(losses) / len(losses) / self.length
        with self.path.open("a") as file:
            file.write(json.dumps({"step": training.step, "cpu": self.budget.spent, "nats": nats}) + "\n")


class MatricesByMuon(torch.optim.Optimizer):
    """Muon for the matrices of the blocks, AdamW for the rest: tables, biases, the head.

    References:
        Jordan et al. (2024). Muon: an optimizer for hidden layers in neural networks. https://kellerjordan.github.io/posts/muon
    """

    def __init__(self, network: CausalTransformer, rate: float) -> None:
        super().__init__(network.parameters(), {"lr": rate})
        matrices = [p for p in network.blocks.parameters() if p.dim() == 2]
        rest = [p for p in network.parameters() if not any(p is matrix for matrix in matrices)]
        self.parts = [
            torch.optim.Muon(matrices, lr=rate, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(rest, lr=rate, betas=(0.9, 0.99), weight_decay=0.0, fused=True),
        ]

    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step of both, at the present rate."""
        for part in self.parts:
            part.param_groups[0]["lr"] = self.param_groups[0]["lr"]
            part.step(closure)


def bits_of(law: AutoregressiveLaw, codes: Tensor, stride: int) -> Tensor:
    """Minus log2 p of each character of a text, from overlapping windows; see the top."""
    (length,) = law.event_shape
    starts = [*range(0, len(codes) - length, stride), len(codes) - length]
    parts, done = [], 0
    for chunk in torch.tensor(starts).split(64):
        windows = codes[chunk[:, None] + torch.arange(length)]
        with torch.no_grad():
            scores = law.element(law.network(windows.float())).log_prob(windows) / -math.log(2)
        for start, row in zip(chunk.tolist(), scores, strict=True):
            parts.append(row[done - start :])
            done = start + length
    return torch.cat(parts).double()


def summary(bits: Tensor) -> str:
    """The mean, with a standard error from blocks of characters, since neighbors are alike."""
    blocks = bits[: len(bits) // BLOCK * BLOCK].reshape(-1, BLOCK).mean(1)
    error = f" ± {blocks.std() / len(blocks) ** 0.5:.3f}" if len(blocks) > 1 else ""
    return f"{bits.mean():.3f}{error}"


def build(symbols: int, options: argparse.Namespace) -> AutoregressiveLaw:
    """The transformer as a law of windows."""
    network = CausalTransformer(
        (options.length,), symbols, values=symbols, width=options.width, depth=options.depth, heads=options.heads,
        dropout=options.dropout, positions="rotary",
    )  # fmt: skip
    return AutoregressiveLaw(network, (options.length,), CategoricalElement(symbols))


def train(law: AutoregressiveLaw, codes: Tensor, options: argparse.Namespace) -> tuple[int, float, EMA]:
    """Train for a time of the processor; return steps, CPU seconds and the average of the weights."""
    options.out.mkdir(parents=True, exist_ok=True)
    budget = TimeBudget(60 * options.minutes, warm_up=0.02)
    average = EMA(law, options.average)
    history = fit(
        MaximumLikelihood(law),
        Batches(codes.unfold(0, options.length, 1), options.batch, seed=0, drop_last=True),
        lambda _parameters: MatricesByMuon(law.network, options.rate),
        steps=5 if options.smoke else 10**9,
        schedule=budget.schedule,
        clip_norm=options.length,
        ema=average,
        callbacks=[budget, Record(budget, options.length, options.out / "shakespeare_steps.jsonl")],
        log_every=200,
        progress=False,
        accelerator="cpu",
        precision=options.precision,
    )
    law.eval()
    return history.steps, budget.spent, average


def arguments(argv: list[str] | None) -> argparse.Namespace:
    """The options; a smoke test makes all of them small."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("length", 128), ("width", 128), ("depth", 4), ("heads", 4), ("batch", 16), ("stride", 32)):
        parser.add_argument(f"--{name}", type=int, default=value)
    for name, value in (("minutes", 10.0), ("rate", 3e-3), ("dropout", 0.0), ("average", 0.99)):
        parser.add_argument(f"--{name}", type=float, default=value)
    parser.add_argument("--precision", default="32-true", help="or bf16-mixed, where the processor has it")
    parser.add_argument("--pilot", action="store_true", help="stop after the validation text: nothing is chosen on the test")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder of the results")
    parser.add_argument("--condition", default="", help="a sentence about the machine, kept with the figures")
    parser.add_argument("--smoke", action="store_true", help="a few steps")
    options = parser.parse_args(argv)
    if options.smoke:
        options.length, options.width, options.depth, options.batch = 32, 32, 2, 8
    return options


def load(options: argparse.Namespace) -> Text:
    """The whole text, or as a smoke test the part that ships with the library."""
    try:
        return load_shakespeare(full=not options.smoke)
    except DataNotFoundError as error:
        print(error)
        return load_shakespeare()


def verses(law: AutoregressiveLaw, text: Text) -> dict[str, str]:
    """Draws of the law, of its tempered conditionals and of their top part; all of them are distributions."""
    torch.manual_seed(0)
    p = law()
    laws = {"as it is": p, "temperature 0.7": p.tempered(0.7), "top 90 %": p.top_p(0.9)}
    return {name: text.decode(each.sample().long()) for name, each in laws.items()}


def main(argv: list[str] | None = None) -> Measured:
    """Count, train, score, draw; return what was measured."""
    options = arguments(argv)
    torch.manual_seed(0)
    torch.set_num_threads(1)
    text = load(options)
    validation, test = (part[:2000] if options.smoke else part for part in (text.validation, text.test))
    rows = []
    for order in (3, 4, 5, 6):
        begin, model = time.process_time(), NGram(text.train, len(text.symbols), order)
        scores = [summary(model.bits(part)) for part in (validation, test)]
        counts = sum(len(table.keys) for table in model.tables)
        rows.append([f"{order}-gram", *scores, f"{counts:,}", "", f"{time.process_time() - begin:.0f}"])
    law = build(len(text.symbols), options)
    size = sum(parameter.numel() for parameter in law.parameters())
    steps, seconds, average = train(law, text.train, options)
    with average.applied():
        scores = [summary(bits_of(law, part, options.stride)) for part in (validation, *([] if options.pilot else [test]))]
        rows.append(["transformer", *scores, *([""] if options.pilot else []), f"{size:,}", str(steps), f"{seconds:.0f}"])
        drawn = {} if options.pilot else verses(law, text)
        pg.save(law, options.out / "shakespeare.safetensors")
    found = Measured("Characters of Shakespeare: a transformer after ten minutes of one core")
    found.conditions = [
        f"{len(text.train)} characters to train, {len(validation)} to choose settings, {len(test)} to test, "
        f"{len(text.symbols)} symbols; transformer: {options.depth} blocks, width {options.width}, {options.precision}, "
        f"windows of {options.length}, each character scored with at least {options.length - options.stride} before it (fewer "
        f"at the start of the text); n-grams: interpolated Kneser-Ney with three discounts an order, parameters are counts. "
        f"± one standard error over blocks of {BLOCK} characters. {software()}.",
        options.condition,
    ]
    print(found.add("Bits per character; lower is better.", HEADER, rows))
    print(found.write(options.out / "autoregressive_shakespeare.json"))
    for name, lines in drawn.items():
        print(f"\n--- {name}\n{lines}")
    return found


if __name__ == "__main__":
    main()
