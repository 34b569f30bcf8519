r"""What a sampler is made of: steps from one noise level to the next, and what a call hands to each of them.

Most samplers are linear in the state, the denoiser's means and fresh noise:

.. math::

    x_s = a\, x_t + \sum_j b_j\, \hat x_0^{(j)} + c\, z, \qquad
    \hat x_0^{(0)} = c_{\mathrm{skip}}\, x_t + c_{\mathrm{out}}\, F(x_t),

with :math:`\hat x_0^{(j)}` the means of earlier steps. Where only the current one counts it is never formed: the step is
:math:`(a + b c_{\mathrm{skip}})\, x_t + b\, c_{\mathrm{out}}\, F`, a multiplication and an addition of full size. No noise
is drawn where :math:`c = 0`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from probgen.distributions.chains import Denoiser, NoiseLevel

__all__ = ["LinearStep", "Run", "State", "StepSequence", "weighted_sum"]


class State(NamedTuple):
    r"""Where a sampler stands.

    Attributes:
        x: The state ``[*batch, *event]``.
        means: The denoiser's means :math:`\hat x_0` that later steps use, latest first, each ``[*batch, *event]``.

    Example:
        >>> import torch
        >>> from probgen.diffusion.samplers.steps import State
        >>> State(torch.zeros(2)).means
        ()
    """

    x: Tensor
    means: tuple[Tensor, ...] = ()


@dataclass(frozen=True)
class Run:
    """What a call of a sampler hands to every step.

    Attributes:
        denoiser: The denoiser.
        context: Shape ``[*batch, *context_shape]``, or None.
        noise: From a tensor to a draw of independent standard normal numbers like it.
        in_place: Whether a step may overwrite tensors that it made itself.
        recording: Whether every step has to tell its mean.

    Example:
        >>> import torch
        >>> from probgen.distributions.chains import GaussianDenoiser, linear_schedule
        >>> from probgen.diffusion.samplers.steps import Run
        >>> oracle = GaussianDenoiser(linear_schedule(), torch.zeros(2), torch.tensor(1.0))
        >>> Run(oracle).predict(torch.ones(3, 2), oracle.schedule.level(0.5)).shape
        torch.Size([3, 2])
    """

    denoiser: Denoiser
    context: Tensor | None = None
    noise: Callable[[Tensor], Tensor] = field(default_factory=lambda: torch.randn_like)
    in_place: bool = False
    recording: bool = False

    def predict(self, x: Tensor, level: NoiseLevel) -> Tensor:
        """The denoiser's prediction F, in the dtype of the state also under autocast."""
        return self.denoiser.predict(x, level, self.context).to(x.dtype)


class Step(Protocol):
    """A step from one noise level to the next.

    Attributes:
        evaluations: How often it calls the denoiser.

    Example:
        >>> from probgen.diffusion.samplers.steps import LinearStep, Step
        >>> step: Step = LinearStep(None, 1.0, ())
        >>> step.evaluations
        0
    """

    @property
    def evaluations(self) -> int:
        """How often it calls the denoiser."""

    def __call__(self, state: State, run: Run) -> State:
        """Make the step."""


class LinearStep(NamedTuple):
    r"""The step :math:`a\, x_t + \sum_j b_j\, \hat x_0^{(j)} + c\, z`.

    Attributes:
        level: The level at which the denoiser is asked; None: it is not, and ``weights`` belong to earlier means.
        scale: The number a.
        weights: The numbers :math:`b_j`, for the current mean first.
        noise: The number c.
        skip: The coefficient of :math:`x_t` in the mean.
        out: The coefficient of the prediction in the mean.
        keeps: How many means later steps need.

    Example:
        >>> import torch
        >>> from probgen.distributions.chains import GaussianDenoiser, linear_schedule
        >>> from probgen.diffusion.samplers.steps import LinearStep, Run, State
        >>> oracle = GaussianDenoiser(linear_schedule(), torch.zeros(1), torch.tensor(1.0))
        >>> step = LinearStep(oracle.schedule.level(0.5), 0.0, (1.0,))  # to the mean of the data
        >>> bool(torch.isclose(step(State(torch.ones(1)), Run(oracle)).x, oracle.schedule.alpha(0.5).float()))
        True
    """

    level: NoiseLevel | None
    scale: float
    weights: tuple[float, ...]
    noise: float = 0.0
    skip: float = 0.0
    out: float = 1.0
    keeps: int = 0

    @property
    def evaluations(self) -> int:
        """One, or none without a level."""
        return 0 if self.level is None else 1

    def __call__(self, state: State, run: Run) -> State:
        """Make the step."""
        x, means = state
        if self.level is None:
            terms = [(self.scale, x), *zip(self.weights, means, strict=False)]
        else:
            prediction = run.predict(x, self.level)
            if self.keeps == 0 and len(self.weights) == 1 and not run.recording:
                weight = self.weights[0]
                terms, means = [(self.scale + weight * self.skip, x), (weight * self.out, prediction)], ()
            else:
                mean = weighted_sum([(self.skip, x), (self.out, prediction)], in_place=run.in_place)
                means = (mean, *means)
                terms = [(self.scale, x), *zip(self.weights, means, strict=False)]
        y = weighted_sum(terms, in_place=run.in_place)
        if self.noise:
            y = weighted_sum([(self.noise, run.noise(y))], onto=y, in_place=run.in_place)
        return State(y, means[: max(self.keeps, int(run.recording))])


class StepSequence:
    """Several steps as one.

    Args:
        steps: The steps, made in this order.

    Example:
        >>> from probgen.diffusion.samplers.steps import LinearStep, StepSequence
        >>> StepSequence([LinearStep(None, 1.0, ()), LinearStep(None, 2.0, ())]).evaluations
        0
    """

    def __init__(self, steps: Iterable[Step]) -> None:
        self.steps = tuple(steps)
        self.evaluations = sum(step.evaluations for step in self.steps)

    def __call__(self, state: State, run: Run) -> State:
        """Make the steps."""
        for step in self.steps:
            state = step(state, run)
        return state


def weighted_sum(terms: Iterable[tuple[float, Tensor]], *, onto: Tensor | None = None, in_place: bool = False) -> Tensor:
    """The sum of weighted tensors, always a new tensor unless it is added ``onto`` one in place; zero weights cost nothing.

    Args:
        terms: Pairs of weight and tensor.
        onto: Added first; overwritten if ``in_place``.
        in_place: Whether partial sums are overwritten.

    Example:
        >>> import torch
        >>> from probgen.diffusion.samplers.steps import weighted_sum
        >>> weighted_sum([(2.0, torch.ones(2)), (-1.0, torch.arange(2.0)), (0.0, torch.full((2,), torch.nan))])
        tensor([2., 1.])
    """
    total, pairs = onto, list(terms)
    for weight, tensor in pairs:
        if weight == 0.0:
            continue
        if total is None:
            total = tensor * weight
        else:
            total = total.add_(tensor, alpha=weight) if in_place else torch.add(total, tensor, alpha=weight)
    return torch.zeros_like(pairs[0][1]) if total is None else total
