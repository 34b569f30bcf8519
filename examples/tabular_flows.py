"""Densities of UCI tables: neural spline flows, MAF and FFJORD against a Gaussian and a mixture of Gaussians, test nats a row.

python examples/tabular_flows.py --table wine --model nsf_coupling --seed 0    one run: 40 to 160 s of one core, FFJORD more
python examples/tabular_flows.py                                               every table and model, three seeds
python examples/tabular_flows.py --merge --out out                             one table of all rows in a folder
python examples/tabular_flows.py --smoke                                       seconds; without the data, on a made-up table

A recorded table has no density: numbers were rounded, so a model may put a spike on every value and its likelihood has no upper
bound. As the MAF paper does, columns with few distinct values are dropped, and of two that are nearly copies of each other
(correlation above 0.98) one; every column that is left gets uniform noise of the width of its own grid, at training anew at
every visit. Rows that occur twice stay once, so that no test row was trained on. The likelihood of what is left is bounded,
by that of knowing every cell, and a lower bound of the log-probability of the recorded row.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from probgen.data import Batches, DataNotFoundError, load_uci
from probgen.demo import Measured, fit_gaussian_mixture, software
from probgen.distributions import TransformedLaw, standard_normal
from probgen.distributions.bijectors import Bijector, LULinear
from probgen.flows import continuous_flow, masked_autoregressive_flow, neural_spline_autoregressive, neural_spline_coupling
from probgen.infer import EMA, EarlyStopping, MaximumLikelihood, TimeBudget, fit, load_weights

TABLES = ("protein", "parkinsons", "wine")
WIDTHS = {"protein": 96, "parkinsons": 64, "wine": 32}  # of hidden layers, by the number of training rows
DROPOUT = {"protein": 0.0, "parkinsons": 0.1, "wine": 0.2}
TIME = {"protein": 2.0, "parkinsons": 1.0, "wine": 0.5}  # training time, in units of the recipe's
COMPONENTS = (1, 2, 5, 10, 20, 50, 100)
FEW_VALUES, NEARLY_COPIES = 50, 0.98


class Table(NamedTuple):
    """Recorded rows, standardized on the training rows, and how wide the grid of each column is in the same units."""

    name: str
    train: Tensor
    validation: Tensor
    test: Tensor
    width: Tensor
    note: str

    def noisy(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Uniform noise of one step of the grid, about the recorded value."""
        return x + (torch.rand(x.shape, generator=generator) - 0.5) * self.width


@dataclass
class Row:
    """One run: test and validation nats a row, its error over test rows, and what it cost."""

    table: str
    model: str
    seed: int
    test: float
    error: float
    validation: float
    steps: int
    seconds: float
    parameters: int
    note: str


# ---------------------------------------------------------------------------------------------------------------------- tables


def load(name: str, *, smoke: bool = False) -> Table:
    """The table without duplicates, discrete columns and columns that another one determines."""
    try:
        found = load_uci(name, standardize=False)
        parts = [torch.cat([part.x, part.y], 1).double() for part in (found.train, found.validation, found.test)]
    except DataNotFoundError:
        if not smoke:
            raise
        made = torch.randn(600, 4, generator=torch.Generator().manual_seed(0)).double()
        name, parts = "made up", list((made @ made[:4]).mul(100).round().div(100).split([400, 100, 100]))
    parts, repeated = without_repeated(parts)
    rows = torch.cat(parts)
    distinct = torch.tensor([len(column.unique()) for column in rows.T])
    related = (torch.corrcoef(parts[0].T).abs().triu(1) > NEARLY_COPIES).nonzero()
    discrete = {index for index, count in enumerate(distinct.tolist()) if count < FEW_VALUES}
    copies = {second for first, second in related.tolist() if first not in discrete} - discrete
    kept = [index for index in range(rows.shape[1]) if index not in discrete | copies]
    width, mean, std = torch.stack([grid_width(rows[:, j]) for j in kept]), parts[0][:, kept].mean(0), parts[0][:, kept].std(0)
    train, validation, test = (((part[:, kept] - mean) / std).float() for part in parts)
    counts = " / ".join(f"{len(part):,}" for part in parts)
    note = (
        f"{name}: {len(kept)} columns ({len(discrete)} discrete, {len(copies)} nearly copies dropped), {counts} rows to train, "
        f"validate and test ({repeated:,} repeated ones dropped), at most {(std / width).log().sum():.1f} nats"
    )
    return Table(name, train, validation, test, (width / std).float(), note)


def without_repeated(parts: list[Tensor]) -> tuple[list[Tensor], int]:
    """Keep the first of equal rows, those to train on before the others."""
    rows = torch.cat(parts)
    _, which = rows.unique(dim=0, return_inverse=True)
    index = torch.arange(len(rows))
    first = torch.full((int(which.max()) + 1,), len(rows)).scatter_reduce(0, which, index, "amin")
    keep = (first[which] == index).split([len(part) for part in parts])
    return [part[mask] for part, mask in zip(parts, keep, strict=True)], len(rows) - len(first)


def grid_width(column: Tensor) -> Tensor:
    """The step of a column's grid: the most frequent gap between neighboring values (three digits of it)."""
    gaps = column.unique().diff()
    digits = 10 ** (2 - gaps.log10().floor())
    return ((gaps * digits).round() / digits).mode().values


# ---------------------------------------------------------------------------------------------------------------------- models


def spline_coupling(features: int, table: str) -> Bijector:
    """RQ-NSF (C): residual networks with dropout, LU-parametrized maps between the couplings."""
    return neural_spline_coupling(
        features, layers=6, bound=4.0, dropout=DROPOUT.get(table, 0.0), **networks(table), mixing=lambda: mixing(features)
    )


def spline_autoregressive(features: int, table: str) -> Bijector:
    """RQ-NSF (AR): residual masked networks, LU-parametrized maps between the layers."""
    return neural_spline_autoregressive(features, layers=5, bound=4.0, **networks(table), mixing=lambda: mixing(features))


def affine_autoregressive(features: int, table: str) -> Bijector:
    """MAF as the spline paper runs it, with residual masked networks and LU-parametrized maps."""
    return masked_autoregressive_flow(features, layers=8, **networks(table), mixing=lambda: mixing(features))


def continuous(features: int, table: str, tolerance: float = 1e-3) -> Bijector:
    """FFJORD with the exact divergence, by adaptive steps; trained with a coarse tolerance and scored with a fine one."""
    hidden = (max(64, WIDTHS.get(table, 64)),) * 2
    return continuous_flow(features, hidden=hidden, rtol=tolerance, atol=tolerance, log_det_atol=10 * tolerance)


def precisely_continuous(features: int, table: str) -> Bijector:
    """The same, as it is scored."""
    return continuous(features, table, 1e-5)


def networks(table: str) -> dict[str, Any]:
    """Two residual blocks."""
    return {"hidden": (WIDTHS.get(table, 16),) * 5, "residual": True}


def mixing(features: int) -> Bijector:
    """A learned linear map that starts as a random rotation."""
    return LULinear(features, start="rotation")


class Recipe(NamedTuple):
    """A flow, its name in the table, the seconds and the largest learning rate of its training, and how it is scored."""

    label: str
    build: Callable[[int, str], Bijector]
    seconds: float
    rate: float
    scored: Callable[[int, str], Bijector] | None = None


FLOWS = {
    "nsf_coupling": Recipe("RQ-NSF (C)", spline_coupling, 80.0, 2e-3),
    "nsf_autoregressive": Recipe("RQ-NSF (AR)", spline_autoregressive, 80.0, 2e-3),
    "maf": Recipe("MAF", affine_autoregressive, 80.0, 2e-3),
    "ffjord": Recipe("FFJORD", continuous, 200.0, 1e-2, precisely_continuous),
}
BASELINES = {"gaussian": "Gaussian", "mixture": "mixture of Gaussians"}
LABELS = BASELINES | {name: recipe.label for name, recipe in FLOWS.items()}


def flow_law(bijector: Bijector, features: int) -> TransformedLaw:
    """The law of the data: a flow of a standard normal law."""
    return TransformedLaw(standard_normal(features), bijector)


# --------------------------------------------------------------------------------------------------------------------- running


def run_flow(name: str, table: Table, seed: int, seconds: float, *, smoke: bool) -> Row:
    """Train until the budget is spent or validation has stopped to improve; score with the best averaged weights."""
    recipe, generator = FLOWS[name], torch.Generator().manual_seed(10_000 + seed)
    torch.manual_seed(seed)
    features = table.train.shape[1]
    law = flow_law(recipe.build(features, table.name), features)
    validation, test = table.noisy(table.validation, generator), table.noisy(table.test, generator)
    budget, loss = TimeBudget(seconds, warm_up=0.02), MaximumLikelihood(law)
    with tempfile.TemporaryDirectory() as folder:
        history = fit(
            loss,
            Batches(table.train, 256, seed=seed, drop_last=len(table.train) > 256, transform=table.noisy),
            lambda parameters: torch.optim.AdamW(parameters, lr=recipe.rate, weight_decay=1e-2, fused=True),
            steps=2 if smoke else 10_000_000,
            schedule=budget.schedule,
            clip_norm=5.0,
            ema=EMA(loss, 0.99),
            validation=lambda _: -log_prob(law, validation).mean().item(),
            validate_every=1 if smoke else 50,
            callbacks=[budget, EarlyStopping(patience=30)],
            checkpoint=folder,
            checkpoint_every=10_000_000,
            log_every=50,
            progress=False,
            accelerator="cpu",
        )
        load_weights(loss, Path(folder) / "best.safetensors")
    assert history.best is not None
    precise = law if recipe.scored is None else flow_law(recipe.scored(features, table.name), features)
    precise.load_state_dict(law.state_dict())
    score = log_prob(precise.eval(), test)
    size = sum(parameter.numel() for parameter in law.parameters())
    return row(name, table, seed, score, -history.best[1], len(history.losses), budget.spent, size)


@torch.no_grad()
def log_prob(law: nn.Module, x: Tensor) -> Tensor:
    """Nats of every row."""
    return torch.cat([law().log_prob(rows) for rows in x.split(1024)])


def run_baseline(name: str, table: Table, seed: int, *, smoke: bool) -> Row:
    """Expectation maximization; the number of components is that with the best validation likelihood."""
    generator, begin = torch.Generator().manual_seed(10_000 + seed), time.process_time()
    validation, test = (table.noisy(part, generator).double() for part in (table.validation, table.test))
    train = table.noisy(table.train, generator)
    best, value, chosen = None, -math.inf, 0
    for components in COMPONENTS[:1] if name == "gaussian" else COMPONENTS[: 2 if smoke else None]:
        ridge = 0.0 if components == 1 else 1e-5
        law = fit_gaussian_mixture(train, components, held_out=validation, ridge=ridge, seed=seed)
        score = float(law.log_prob(validation).mean())
        if score > value:
            best, value, chosen = law, score, components
    assert best is not None
    features = table.train.shape[1]
    size = chosen * (1 + features + features * (features + 1) // 2) - 1
    return row(name, table, seed, best.log_prob(test), value, chosen, time.process_time() - begin, size)


def row(
    model: str, table: Table, seed: int, score: Tensor, validation: float, steps: int, seconds: float, parameters: int
) -> Row:
    """One run as numbers."""
    error = float(score.std() / math.sqrt(len(score)))
    return Row(
        table.name, model, seed, float(score.mean()), error, validation, steps, round(seconds, 1), parameters, table.note
    )


def merged(folder: Path, condition: str) -> Measured:
    """One table of all runs in a folder: mean ± standard error over the seeds."""
    runs = [Row(**json.loads(path.read_text())) for path in sorted(folder.glob("*.json"))]
    notes = {run.table: run.note for run in sorted(runs, key=lambda run: (*TABLES, "made up").index(run.table))}
    tables = list(notes)
    rows = []
    for model, label in LABELS.items():
        of_model = {name: [run for run in runs if (run.model, run.table) == (model, name)] for name in tables}
        if not any(of_model.values()):
            continue
        seconds = [run.seconds for run in runs if run.model == model]
        cost = f"{min(seconds):.0f}–{max(seconds):.0f}"
        rows.append([label, *(spread([run.test for run in of_model[name]]) for name in tables), cost])
    found = Measured("Densities of UCI tables")
    over_rows = "; ".join(f"{name} {max(run.error for run in runs if run.table == name):.2f}" for name in tables)
    found.conditions = [
        "Joint density of features and target, standardized on the training rows. Discrete columns and near copies of another "
        "are dropped (as in the MAF paper), repeated rows too; every column has uniform noise of the width of its grid, so "
        "that likelihoods are bounded and comparable; all models see the same. "
        + ". ".join(notes.values())
        + ". Mean ± standard "
        f"error over seeds (weights, batches, noise; one split); the error over test rows is larger: {over_rows}. Batches of "
        "256, AdamW with a rate that falls to zero, averaged weights, those of the best validation; components of the mixture "
        f"chosen by validation. {software()}.",
        condition,
    ]
    found.add("Test log-likelihood, nats a row; higher is better.", ["model", *tables, "CPU s a run"], rows)
    return found


def spread(values: list[float]) -> str:
    """Mean ± standard error over runs, and how many they are if not three."""
    if not values:
        return "n/a"
    x = torch.tensor(values, dtype=torch.float64)
    error = f" ± {float(x.std() / math.sqrt(len(x))):.3f}" if len(x) > 1 else ""
    return f"{float(x.mean()):.3f}{error}" + ("" if len(x) == 3 else f" (seeds: {len(x)})")


def main(argv: list[str] | None = None) -> Measured:
    """Run what is not there yet, print, write; return the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", choices=TABLES, nargs="+", default=list(TABLES))
    parser.add_argument("--model", choices=tuple(LABELS), nargs="+", default=list(LABELS))
    parser.add_argument("--seed", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--budget", type=float, help="training seconds of the processor, others than the recipe's")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder of results; runs that are there are not repeated")
    parser.add_argument("--merge", action="store_true", help="train nothing; write one table of all runs in the folder")
    parser.add_argument("--condition", default="", help="a sentence about the machine, kept with the figures")
    parser.add_argument("--smoke", action="store_true", help="two steps of every model on one table")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    folder = options.out / ("tabular_smoke" if options.smoke else "tabular")
    folder.mkdir(parents=True, exist_ok=True)
    names, seeds = (["wine"], [0]) if options.smoke else (options.table, options.seed)
    for seed, name, model in () if options.merge else itertools.product(seeds, names, options.model):
        path = folder / f"{name}_{model}_{seed}.json"
        if path.exists() and not options.smoke:
            continue
        table = load(name, smoke=options.smoke)
        if model in BASELINES:
            result = run_baseline(model, table, seed, smoke=options.smoke)
        else:
            seconds = options.budget or (5.0 if options.smoke else FLOWS[model].seconds * TIME[name])
            result = run_flow(model, table, seed, seconds, smoke=options.smoke)
        path.write_text(json.dumps(asdict(result), indent=1) + "\n")
        print(result, flush=True)
    found = merged(folder, options.condition)
    print(found.markdown())
    print(found.write(folder.with_name(f"flows_{folder.name}.json")))
    return found


if __name__ == "__main__":
    main()
