"""A hierarchical Pyro model whose likelihood is a simulator: fitted by the energy score of its draws.

OMP_NUM_THREADS=1 python examples/implicit_groups.py             some two minutes of one core; writes two tables
python examples/implicit_groups.py --smoke                       seconds

1. Where the likelihood is known, y ~ N(theta, 1): widths, errors and coverage of generalized posteriors with several weights of
   the score, against their closed forms. The weight 3 / (sqrt(pi) sigma) is the calibrated one.
2. Ten groups, the digits: how far the images of a digit lean, or how much ink they have, is drawn by a g-and-k law (no density
   in closed form) with parameters of the digit, which come from a population. Of five digits there are forty images, of five
   three. Held-out images are scored under the hierarchy, under every group alone with a wide prior, and under one law for all.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pyro
import pyro.distributions as dist
import torch
from torch import Tensor, nn

import probgen as pg
from probgen.data import load_digits, slant
from probgen.demo import Measured, software
from probgen.distributions import ImplicitDistribution, standard_normal
from probgen.flows import inverse_autoregressive_flow
from probgen.infer import ELBO, FlowGuide, energy_score
from probgen.metrics import mean_and_error

MANY, FEW = 40, 3


def calibrated_weight(scale: float) -> float:
    """The weight of the score with which intervals of a normal location of this scale cover what they say."""
    return 3 / (math.sqrt(math.pi) * scale)


def score_site(law: ImplicitDistribution, y: Tensor, weight: float, draws: int = 8) -> None:
    """Minus the weight times the scores of data ``[n, groups]``, NaN where a group has fewer than n."""
    x = law.rsample(torch.Size((draws,))).unsqueeze(1)
    scores = energy_score(x, y.nan_to_num())
    pyro.factor("y", -weight * scores.where(y.isfinite(), 0.0).sum(0))


def implicit(simulator: Callable[[Tensor, Tensor], Tensor], theta: Tensor, shape: Sequence[int] = ()) -> ImplicitDistribution:
    """The law of a number ``simulator(noise, theta)`` for parameters ``[*batch, *shape]``."""
    return ImplicitDistribution(standard_normal(()), simulator, (), context_shape=shape, context=theta)


def g_and_k(noise: Tensor, theta: Tensor) -> Tensor:
    """The quantile function of a g-and-k law at normal noise: location, log-scale, skewness, and tails between 0 and 1/2.

    Args:
        noise: Standard normal, ``[*batch]``.
        theta: Parameters ``[*batch, 4]``.
    """
    location, log_scale, skewness, logit = theta.unbind(-1)
    skew = 1 + 0.8 * torch.tanh(skewness * noise / 2)
    return location + log_scale.exp() * skew * (1 + noise.square()) ** (logit.sigmoid() / 2) * noise


def fit(model: Callable[..., object], guide: Callable[..., object], y: Tensor, steps: int, rate: float) -> None:
    """Minimize the generalized bound on all data, with a rate that falls to zero."""
    pg.infer.fit(
        ELBO()(model, guide),
        [(y,)] * steps,
        lambda parameters: torch.optim.Adam(parameters, rate),
        schedule=lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps),
        clip_norm=300.0,
        progress=False,
        accelerator="cpu",
    )


class Locations(nn.Module):
    """Groups of y = theta + noise, which the model can only draw; a normal guide for each theta.

    Args:
        groups: How many.
        weight: Of the score.
    """

    def __init__(self, groups: int, weight: float) -> None:
        super().__init__()
        self.groups, self.weight = groups, weight
        self.loc = nn.Parameter(torch.zeros(groups))
        self.log_scale = nn.Parameter(torch.full((groups,), -2.0))

    def model(self, y: Tensor) -> None:
        """The program; data ``[n, groups]``."""
        with pyro.plate("groups", self.groups):
            theta = pyro.sample("theta", dist.Normal(0.0, 10.0))
            score_site(implicit(torch.add, theta), y, self.weight)

    def guide(self, y: Tensor) -> None:
        """The guide; data ``[n, groups]``."""
        with pyro.plate("groups", self.groups):
            pyro.sample("theta", dist.Normal(self.loc, self.log_scale.exp()))


def coverage(groups: int, n: int, steps: int) -> list[list[str]]:
    """Width, error and coverage, measured and predicted, for weights around the calibrated one."""
    torch.manual_seed(0)
    truth, normal, rows = torch.randn(groups), dist.Normal(0.0, 1.0), []
    y, tail = truth + torch.randn(n, groups), normal.icdf(torch.tensor(0.95))
    for factor in (0.25, 0.5, 1.0, 2.0, 4.0):
        weight = factor * calibrated_weight(1.0)
        fitted = Locations(groups, weight)
        fit(fitted.model, fitted.guide, y, steps, 3e-2)
        error, width = (fitted.loc - truth).detach(), fitted.log_scale.detach().exp()
        wanted = math.sqrt(math.sqrt(math.pi) / (weight * n)), math.sqrt(math.pi / 3 / n)
        covered = float((error.abs() < tail * width).float().mean())
        expected = float(2 * normal.cdf(tail / math.sqrt(factor)) - 1)
        measured = float(width.mean()), wanted[0], float(error.std()), wanted[1], covered, expected
        rows.append([f"{weight:.2f}", *(f"{value:.3f}" for value in measured)])
    return rows


class Groups:
    """Three programs for one table of groups, with the score's weight in units of the groups' spread.

    Args:
        y: Data ``[n, groups]``, NaN where there are fewer.
        weight: Of the score.
        center: Where the priors of the four parameters are centered, ``[4]``.
    """

    def __init__(self, y: Tensor, weight: float, center: Tensor) -> None:
        self.y, self.weight, self.center, self.number = y, weight, center, y.shape[1]

    def together(self, y: Tensor) -> None:
        """Parameters of groups from a population that is learned."""
        mean = pyro.sample("mean", dist.Normal(self.center, 1.0).to_event(1))
        spread = pyro.sample("spread", dist.LogNormal(-0.7, 1.0).expand([4]).to_event(1))
        self._groups(y, mean, spread)

    def alone(self, y: Tensor) -> None:
        """Every group by itself, with a wide prior."""
        self._groups(y, self.center, torch.tensor(2.0))

    def pooled(self, y: Tensor) -> None:
        """One law for all groups."""
        theta = pyro.sample("theta", dist.Normal(self.center, 1.0).to_event(1))
        score_site(implicit(g_and_k, theta, (4,)), y.flatten(), self.weight)

    def _groups(self, y: Tensor, mean: Tensor, spread: Tensor) -> None:
        with pyro.plate("groups", self.number):
            deviation = pyro.sample("deviation", dist.Normal(torch.zeros(4), 1.0).to_event(1))
            score_site(implicit(g_and_k, mean + spread * deviation, (4,)), y, self.weight)

    def parameters(self, draw: dict[str, Tensor]) -> Tensor:
        """The parameters of all groups ``[groups, 4]`` from one draw of a guide."""
        if "theta" in draw:
            return draw["theta"].expand(self.number, 4)
        return draw.get("mean", self.center) + draw.get("spread", torch.tensor(2.0)) * draw["deviation"]

    def predictive(self, name: str, steps: int, draws: int = 1000) -> Tensor:
        """Fit a program by a flow over all its latents; draws of the posterior predictive law, ``[draws, groups]``."""
        torch.manual_seed(1)
        model = getattr(self, name)
        guide = FlowGuide(model, lambda size: inverse_autoregressive_flow(size, layers=1, hidden=(64,)))
        fit(model, guide, self.y, steps, 1e-2)
        with torch.no_grad():
            theta = torch.stack([self.parameters(guide()) for _ in range(draws)])
            return g_and_k(torch.randn(draws, self.number), theta)


def quantities() -> dict[str, Tensor]:
    """How far images lean, and how much ink they have, standardized: ``[150, 10]``, a column for each digit."""
    digits = load_digits()
    images = torch.cat([digits.train.x, digits.test.x]).float() / 8 - 1
    labels = torch.cat([digits.train.y, digits.test.y])
    values = {"lean": slant(images.unsqueeze(1)), "ink": images.sum((1, 2))}
    scaled = {name: (value - value.mean()) / value.std() for name, value in values.items()}
    return {name: torch.stack([value[labels == k][:150] for k in range(10)], 1) for name, value in scaled.items()}


def hierarchy(name: str, values: Tensor, seed: int, steps: int) -> list[str]:
    """Scores of held-out images of the digits with few images, and of those with many, for the three programs."""
    generator = torch.Generator().manual_seed(seed)
    few = torch.randperm(10, generator=generator).argsort() < 5
    values = values[torch.randperm(len(values), generator=generator)]
    seen, held_out = values[:MANY].clone(), values[MANY:]
    seen[FEW:, few] = math.nan
    within = float(seen[:, ~few].std(0).mean())
    groups = Groups(seen, calibrated_weight(within), torch.tensor([0.0, math.log(within), 0.0, -2.0]))
    programs = ("together", "alone", "pooled")
    scores = {p: energy_score(groups.predictive(p, steps).unsqueeze(1), held_out) for p in programs}
    means = [f"{float(scores[p][:, part].mean()):.3f}" for part in (~few, few) for p in programs]
    worse = [str(mean_and_error((scores[p] - scores["together"])[:, few])) for p in programs[1:]]
    return [name, str(seed), *means, *worse]


def main(argv: Sequence[str] | None = None) -> Measured:
    """Fit, measure, print and write; return what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2], help="which digits have few images")
    parser.add_argument("--condition", default="", help="a sentence about the machine, kept with the figures")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder of the results")
    parser.add_argument("--smoke", action="store_true", help="a few steps")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    begin, steps = time.process_time(), 5 if options.smoke else 600
    found = Measured("A simulator in the place of a likelihood")
    rows = coverage(*((20, 10) if options.smoke else (600, 50)), steps=steps)
    header = ["w", "width", "predicted", "error", "predicted", "90 % intervals cover", "predicted"]
    print(found.add("Locations of 600 groups of 50 numbers N(theta, 1), weights w of the score.", header, rows), flush=True)
    seeds = options.seeds[:1] if options.smoke else options.seeds
    rows = [hierarchy(name, values, seed, steps) for name, values in quantities().items() for seed in seeds]
    header = ["quantity", "seed", "many: together", "alone", "pooled", "few: together", "alone", "pooled"]
    header += ["alone worse by", "pooled worse by"]
    print(
        found.add(f"Energy scores of held-out images, digits with {MANY} and with {FEW} images; lower is better.", header, rows)
    )
    seconds = f"{time.process_time() - begin:.0f} CPU s in all"
    found.conditions = [f"Digits drawn by seed; ± one standard error over images. {seconds}. {software()}.", options.condition]
    print(found.write(options.out / "implicit_groups.json"))
    return found


if __name__ == "__main__":
    main()
