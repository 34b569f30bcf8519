r"""Bayes' rule in both directions.

*From a generative model to a classifier*: with :math:`p(x \mid y)` and class frequencies :math:`p(y)`,

.. math::

    p(y \mid x) = \frac{p(x \mid y)\, p(y)}{\sum_k p(x \mid k)\, p(k)}.

*From a classifier to a conditional generator*: with an unconditional :math:`p(x)` and any classifier :math:`c(y \mid x)`,

.. math::

    p(x \mid y) \propto p(x)\, c(y \mid x),

so draws from :math:`p(x)`, weighted by :math:`c(y \mid x)` and resampled, follow :math:`p(x \mid y)`. The weights' effective
sample size says how many independent draws they are worth.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from probgen.demo.problem import CLASSES, PIXELS, Problem
from probgen.demo.registry import DigitModel
from probgen.distributions.numerics.bayes import log_posterior
from probgen.nn import MLP

__all__ = ["Reweighted", "class_posterior", "reweight", "train_classifier"]


def class_posterior(model: DigitModel, problem: Problem, v: Tensor) -> Tensor:
    """Log-posterior over classes by Bayes' rule, from a model by class.

    Args:
        model: A model of p(x | y).
        problem: Its training labels give p(y).
        v: Pixels ``[n, 64]``.

    Returns:
        Normalized log-probabilities ``[n, 10]``.

    Example:
        >>> from probgen.demo import ENTRIES, Settings, class_posterior, load_problem
        >>> problem = load_problem(Settings.smoke())
        >>> model = ENTRIES["spline coupling"].build(problem, conditional=True)
        >>> class_posterior(model, problem, problem.test_v[0][:5]).exp().sum(-1)
        tensor([1.0000, 1.0000, 1.0000, 1.0000, 1.0000])
    """
    frequency = torch.bincount(problem.train.labels, minlength=CLASSES) / len(problem.train)
    log_likelihood = torch.stack([model.log_prob(v, torch.full((len(v),), k)) for k in range(CLASSES)], -1)
    return log_posterior(log_likelihood, frequency)


def train_classifier(problem: Problem, *, steps: int, seed: int) -> nn.Module:
    """A small discriminative classifier of noisy pixels.

    Args:
        problem: The data.
        steps: Training steps, each on all training images with fresh noise.
        seed: Fixes weights and noise.

    Returns:
        A module from pixels ``[n, 64]`` to logits ``[n, 10]``.

    Example:
        >>> from probgen.demo import Settings, load_problem, train_classifier
        >>> problem = load_problem(Settings.smoke())
        >>> train_classifier(problem, steps=1, seed=0)(problem.test_v[0]).shape
        torch.Size([397, 10])
    """
    torch.manual_seed(seed)
    net = MLP(PIXELS, CLASSES, hidden=(128,), dropout=0.2)
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=1e-2)
    for step in range(steps):
        optimizer.zero_grad()
        logits = net(2 * problem.noisy(problem.train.x, 1000 + step) - 1)
        nn.functional.cross_entropy(logits, problem.train.labels).backward()
        optimizer.step()
    return nn.Sequential(_Centered(), net).eval()


class _Centered(nn.Module):
    def forward(self, v: Tensor) -> Tensor:
        return 2 * v - 1


@dataclass(frozen=True)
class Reweighted:
    """A conditional generator made of an unconditional one and a classifier.

    Attributes:
        images: Resampled draws, ``[10, per_class, 64]``, row k for class k.
        effective: Effective sample size for each class, ``[10]``.
        proposals: How many unconditional draws there were.

    Example:
        >>> import torch
        >>> from probgen.demo import Reweighted
        >>> Reweighted(torch.zeros(10, 2, 64), torch.ones(10), 5).proposals
        5
    """

    images: Tensor
    effective: Tensor
    proposals: int


@torch.no_grad()
def reweight(model: DigitModel, classifier: nn.Module, *, proposals: int, per_class: int) -> Reweighted:
    """Sample p(x | y) for every y from an unconditional model and a classifier, by resampling.

    Args:
        model: A model of p(x).
        classifier: Logits of p(y | x).
        proposals: Draws from p(x).
        per_class: Draws to keep for each class.

    Example:
        >>> from probgen.demo import ENTRIES, Settings, load_problem, reweight, train_classifier
        >>> problem = load_problem(Settings.smoke())
        >>> model = ENTRIES["spline coupling"].build(problem, conditional=False)
        >>> result = reweight(model, train_classifier(problem, steps=1, seed=0), proposals=50, per_class=3)
        >>> result.images.shape
        torch.Size([10, 3, 64])
    """
    draws = model.sample(proposals)
    weights = classifier(draws).softmax(-1).T
    weights = weights / weights.sum(-1, keepdim=True)
    chosen = torch.multinomial(weights, per_class, replacement=True)
    return Reweighted(draws[chosen], 1 / weights.square().sum(-1), proposals)
