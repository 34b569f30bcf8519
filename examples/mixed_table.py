"""A table with real numbers, integers and categories under one flow, against noise on the codes and independent columns.

Two tables: a made-up one whose law is known, so that the distance to the truth is a number, and the UCI wine table, in which
the quality is a grade from 3 to 8 and total sulfur dioxide an integer. Every model gives a lower bound of the log-probability
of a row (a density in its real numbers, a mass in the others), with 64 draws of its guide, so the numbers can be compared.
"""

from __future__ import annotations

import argparse
import time

import pyro.distributions as dist
import torch
from torch import Tensor

from probgen.data import DataNotFoundError, load_uci
from probgen.distributions import SurjectiveLaw, standard_normal
from probgen.distributions.bijectors import RationalQuadraticSpline
from probgen.distributions.surjections import Column, ContinuousColumn, IntegerColumn, MixedColumns, columns_of
from probgen.flows import mixed_table_flow, neural_spline_coupling
from probgen.infer import MaximumLikelihood
from probgen.plot import table

WINE = ["continuous"] * 6 + ["integer"] + ["continuous"] * 3 + ["ordinal", "continuous"]
ORDER = torch.tensor([3, 0, 4, 1, 2])  # codes of categories mean nothing: neighbors are not alike


def made_up(count: int) -> tuple[Tensor, Tensor]:
    """Rows of a category, a number and a count that depend on each other, and their exact log-probabilities."""
    category = dist.Categorical(torch.tensor([0.4, 0.1, 0.2, 0.2, 0.1]))
    kind = category.sample((count,))
    number = dist.Normal(torch.linspace(-4, 4, 5)[kind], 0.5)
    x = number.sample()
    counts = dist.Poisson(torch.exp(1.0 + 0.3 * x))
    n = counts.sample()
    log_prob = category.log_prob(kind) + number.log_prob(x) + counts.log_prob(n)
    return torch.stack([x, n, ORDER[kind].float()], -1), log_prob


def wine() -> tuple[Tensor, Tensor, Tensor]:
    """Training, validation and test rows; the file has its means subtracted, which is undone for the integers."""
    data = load_uci("wine", standardize=False)
    parts = [torch.cat([split.x, split.y], 1) for split in (data.train, data.validation, data.test)]
    grade, sulfur = parts[0][:, 10].min(), parts[0][:, 6].min()
    for part in parts:
        part[:, 10] = 3 + (part[:, 10] - grade).round()
        part[:, 6] = (part[:, 6] - sulfur).round()
    return parts[0], parts[1], parts[2]


def noise_on_codes(columns: list[Column], hidden: tuple[int, ...]) -> SurjectiveLaw:
    """The usual hack: every code is an integer, with uniform noise on it."""
    plain: list[Column] = []
    for column in columns:
        is_code = not isinstance(column, ContinuousColumn | IntegerColumn)
        plain.append(IntegerColumn((column.width - 1) / 2, column.width / 4) if is_code else column)
    flow = neural_spline_coupling(len(plain), layers=6, hidden=hidden, bound=6.0, masks="alternating")
    return SurjectiveLaw(standard_normal(len(plain)), [flow, MixedColumns(plain)])


def independent_columns(columns: list[Column], parts: tuple[Tensor, Tensor, Tensor], seconds: float) -> Tensor:
    """Exact log-probabilities of test rows if columns were independent: splines for numbers, frequencies for the others."""
    train, validation, test = parts
    numbers = [index for index, column in enumerate(columns) if isinstance(column, ContinuousColumn)]
    plain = MixedColumns([columns[index] for index in numbers])
    splines = RationalQuadraticSpline(16, bound=6.0, shape=(len(numbers),))
    law = SurjectiveLaw(standard_normal(len(numbers)), [splines, plain])
    total = trained(law, train[:, numbers], validation[:, numbers], seconds)().log_prob(test[:, numbers]).detach()
    for index in set(range(len(columns))) - set(numbers):
        low, high = int(train[:, index].min()), int(train[:, index].max())
        counts = torch.bincount((train[:, index] - low).long(), minlength=high - low + 1) + 0.5
        frequencies = torch.cat([counts, torch.tensor([0.5])])  # the last for values that training has not seen
        place = (test[:, index] - low).long()
        place = torch.where((place < 0) | (place > high - low), high - low + 1, place)
        total = total + (frequencies / frequencies.sum()).log()[place]
    return total


def trained(law: SurjectiveLaw, train: Tensor, validation: Tensor, seconds: float) -> SurjectiveLaw:
    """Fit for some seconds of processor time; the parameters of the best validation bound."""
    optimizer = torch.optim.Adam(law.parameters(), 2e-3)
    best, kept, start, step = -float("inf"), law.state_dict(), time.process_time(), 0
    while (spent := time.process_time() - start) < seconds or step < 2:
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * (1 - min(spent / seconds, 1.0)) + 1e-5
        loss = MaximumLikelihood(law)(train[torch.randint(len(train), (256,))])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(law.parameters(), 5.0)
        optimizer.step()
        step += 1
        if step % 50 == 0:
            score = bound(law, validation, 8)[0]
            if score > best:
                best, kept = score, {name: value.clone() for name, value in law.state_dict().items()}
    law.load_state_dict(kept)
    return law


@torch.no_grad()
def bound(law: SurjectiveLaw, rows: Tensor, draws: int) -> tuple[float, float]:
    """Mean bound of rows in nats and its standard error."""
    return law().log_prob_estimate(rows, draws).mean()


def compare(name: str, columns: list[Column], parts: tuple[Tensor, Tensor, Tensor], seconds: float) -> dict[str, float]:
    """Train the models, print a table, return their bounds."""
    hidden = (64, 64)
    models = {
        "mixed flow, guide sees the row": mixed_table_flow(columns, layers=6, hidden=hidden),
        "flow, uniform noise on codes": noise_on_codes(columns, hidden),
    }
    train, validation, test = parts
    scores, lines = {}, []
    for label, law in models.items():
        mean, error = bound(trained(law, train, validation, seconds), test, 64)
        one, _ = bound(law, test, 1)
        valid = MixedColumns(columns).codomain.check(law().sample((1000,))).float().mean()
        scores[label] = mean
        lines.append([label, f"{mean:.3f} ± {error:.3f}", f"{one:.3f}", f"{100 * valid:.0f} %"])
    alone = independent_columns(columns, parts, seconds)
    scores["independent columns"] = float(alone.mean())
    lines.append(["independent columns", f"{alone.mean():.3f} ± {alone.std() / len(alone) ** 0.5:.3f}", "exact", "100 %"])
    print(f"{name}: {len(train)} training rows, {len(columns)} columns, {seconds:.0f} s of one core a model")
    print(table(["model", "bound of 64 draws, nats a row", "of 1 draw", "valid draws"], lines))
    return scores


def main(argv: list[str] | None = None) -> dict[str, float]:
    """Compare on both tables; return the bounds on the made-up one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="the made-up table, a second each")
    parser.add_argument("--seconds", type=float, default=40.0, help="processor time for each model")
    options = parser.parse_args(argv)
    torch.manual_seed(0)
    seconds = 0.2 if options.smoke else options.seconds
    rows, log_prob = made_up(5000)
    parts = (rows[:4000], rows[4000:4500], rows[4500:])
    columns = list(columns_of(rows[:4000], ["continuous", "integer", "categorical"]))
    scores = compare("made-up table", columns, parts, seconds)
    print(f"the truth: {float(log_prob[4500:].mean()):.3f} nats a row")
    if not options.smoke:
        try:
            parts = wine()
        except DataNotFoundError as error:
            print(f"no wine table: {error}")
        else:
            compare("wine", list(columns_of(parts[0], WINE)), parts, seconds)
    return scores


if __name__ == "__main__":
    main()
