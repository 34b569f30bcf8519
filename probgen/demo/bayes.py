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

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from probgen.demo.problem import Problem
from probgen.demo.registry import ImageModel
from probgen.distributions.numerics.bayes import log_posterior

__all__ = ["Reweighted", "class_posterior", "reweight"]


def class_posterior(model: ImageModel, problem: Problem, v: Tensor) -> Tensor:
    """Log-posterior over classes by Bayes' rule, from a model by class.

    Args:
        model: A model of p(x | y).
        problem: Its training labels give p(y).
        v: Pixels ``[n, D]``.

    Returns:
        Normalized log-probabilities ``[n, classes]``.

    Example:
        >>> from probgen.demo import ENTRIES, Settings, class_posterior, load_problem
        >>> problem = load_problem(Settings.smoke())
        >>> model = ENTRIES["spline coupling"].build(problem, conditional=True)
        >>> class_posterior(model, problem, problem.test_v[0][:5]).exp().sum(-1)
        tensor([1.0000, 1.0000, 1.0000, 1.0000, 1.0000])
    """
    classes = range(problem.images.num_classes)
    log_likelihood = torch.stack([model.log_prob(v, torch.full((len(v),), k)) for k in classes], -1)
    return log_posterior(log_likelihood, problem.frequency)


@dataclass(frozen=True)
class Reweighted:
    """A conditional generator made of an unconditional one and a classifier.

    Attributes:
        images: Resampled draws, ``[classes, per_class, D]``, row k for class k.
        effective: Effective sample size for each class, ``[classes]``.
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
def reweight(model: ImageModel, classifier: Callable[[Tensor], Tensor], *, proposals: int, per_class: int) -> Reweighted:
    """Sample p(x | y) for every y from an unconditional model and a classifier, by resampling.

    Args:
        model: A model of p(x).
        classifier: From pixels ``[n, D]`` to logits of p(y | x), ``[n, classes]``.
        proposals: Draws from p(x).
        per_class: Draws to keep for each class.

    Example:
        >>> from probgen.demo import ENTRIES, Settings, load_problem, reweight
        >>> problem = load_problem(Settings.smoke())
        >>> model = ENTRIES["spline coupling"].build(problem, conditional=False)
        >>> result = reweight(model, lambda v: v[:, :10], proposals=50, per_class=3)
        >>> result.images.shape
        torch.Size([10, 3, 64])
    """
    draws = model.sample(proposals)
    weights = classifier(draws).softmax(-1).T
    weights = weights / weights.sum(-1, keepdim=True)
    chosen = torch.multinomial(weights, per_class, replacement=True)
    return Reweighted(draws[chosen], 1 / weights.square().sum(-1), proposals)
