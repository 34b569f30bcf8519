r"""The sampler: an immutable function from the noisiest state to the data.

A sampler is a list of steps with all coefficients worked out. It holds no state: what it returns depends on the state, the
context and the generator that it is given, so one sampler serves many threads, and none needs to be reset.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor

from probgen.diffusion.samplers.steps import Run, State, Step
from probgen.distributions._checks import values_readable
from probgen.distributions.chains import Denoiser, TimeGrid

__all__ = ["Progress", "SamplePath", "Sampler", "StepsOf"]

StepsOf = Callable[[Denoiser, TimeGrid], Sequence[Step]]
"""From a denoiser and a grid to one step for every pair of its times."""


class Progress(NamedTuple):
    r"""What a callback sees after each step.

    Attributes:
        step: The step just made, from 0.
        total: The number of steps.
        t: The time at which the step began.
        s: The time at which it ended.
        x: The state there, ``[*batch, *event]``.
        mean: The denoiser's mean :math:`\hat x_0` in this step, ``[*batch, *event]``; None if the step did not ask for it.

    Example:
        >>> import torch
        >>> from probgen.diffusion.samplers import ddim
        >>> from probgen.distributions.chains import GaussianDenoiser, TimeGrid, linear_schedule
        >>> oracle, seen = GaussianDenoiser(linear_schedule(), torch.zeros(2), torch.tensor(1.0)), []
        >>> x = ddim(oracle, TimeGrid(4))(torch.zeros(3, 2), callback=seen.append)
        >>> [(progress.t, progress.s) for progress in seen]
        [(1.0, 0.75), (0.75, 0.5), (0.5, 0.25), (0.25, 0.0)]
    """

    step: int
    total: int
    t: float
    s: float
    x: Tensor
    mean: Tensor | None


class SamplePath(NamedTuple):
    """All states of one run, laid out as a value of the chain: data first.

    Attributes:
        times: The times of the states, ascending, shape ``[N + 1]``.
        states: Shape ``[*batch, N + 1, *event]``.
        means: What the denoiser thought the data were, at each time but the first, shape ``[*batch, N, *event]``.

    Example:
        >>> import torch
        >>> from probgen.diffusion.samplers import ancestral
        >>> from probgen.distributions.chains import GaussianChain, GaussianDenoiser, TimeGrid, linear_schedule
        >>> oracle = GaussianDenoiser(linear_schedule(20), torch.zeros(2), torch.tensor(1.0))
        >>> path = ancestral(oracle, TimeGrid(20)).path(torch.randn(5, 2))
        >>> path.states.shape, path.means.shape, GaussianChain(oracle, TimeGrid(20)).log_prob(path.states).shape
        (torch.Size([5, 21, 2]), torch.Size([5, 20, 2]), torch.Size([5]))
    """

    times: Tensor
    states: Tensor
    means: Tensor


class Sampler:
    r"""A function from the state at the noisiest time of a grid to the state at its last, usually the data.

    The coefficients are those of the schedule when the sampler is made; only where the schedule itself has parameters to learn
    are they worked out anew at each call. The denoiser is shared, not copied, and used in its mode: after training call
    ``.eval()``, or dropout stays active.

    Attributes:
        denoiser: The denoiser.
        grid: The times.
        evaluations: How often one run calls the denoiser.

    Args:
        name: What the sampler is called, with its settings, for ``repr``.
        denoiser: The denoiser.
        grid: The times to visit.
        steps_of: Makes the steps.
        from_data: Go from the last time of the grid to its first, from the data to the noise.

    Example:
        >>> import torch
        >>> from probgen.diffusion.samplers import ddim
        >>> from probgen.distributions.chains import GaussianDenoiser, TimeGrid, linear_schedule
        >>> oracle = GaussianDenoiser(linear_schedule(), torch.zeros(2), torch.tensor(0.25))
        >>> sampler = ddim(oracle, TimeGrid(20))
        >>> sampler, sampler.evaluations, sampler(torch.randn(8, 2)).shape
        (Sampler(ddim(eta=0.0), 20 steps from t=1 to t=0), 20, torch.Size([8, 2]))
    """

    def __init__(self, name: str, denoiser: Denoiser, grid: TimeGrid, steps_of: StepsOf, *, from_data: bool = False) -> None:
        self.name = name
        self.denoiser = denoiser
        self.grid = grid
        self.from_data = from_data
        self._steps_of = steps_of
        self._steps = tuple(steps_of(denoiser, grid))
        self.evaluations = sum(step.evaluations for step in self._steps)

    def __call__(
        self,
        x: Tensor,
        context: Tensor | None = None,
        *,
        generator: torch.Generator | None = None,
        noise: Callable[[Tensor], Tensor] | None = None,
        differentiable: bool = False,
        callback: Callable[[Progress], None] | None = None,
        progress: bool = False,
    ) -> Tensor:
        """Run the sampler.

        Args:
            x: The state at the first time visited, ``[*batch, *event]``; it is not changed.
            context: Shape ``[*batch, *context_shape]``, if the denoiser takes one.
            generator: The source of randomness; torch's global one if None. It is used only where noise is added.
            noise: Replaces it: from a tensor to independent standard normal numbers of its shape, dtype and device.
            differentiable: Keep the graph, to differentiate through all steps.
            callback: Called after each step.
            progress: Show a progress bar.

        Returns:
            The state at the last time visited, ``[*batch, *event]``.

        Raises:
            ValueError: a wrong event shape.
            ContextError: a missing, mis-sized or unused context.
        """
        self.denoiser.check(x, context)
        with torch.set_grad_enabled(differentiable and torch.is_grad_enabled()):
            source = _drawn_from(generator) if noise is None else noise
            in_place = not torch.is_grad_enabled() and values_readable()
            run = Run(self.denoiser, context, source, in_place, recording=callback is not None)
            with _observed(len(self.grid), callback, progress=progress) as observe:
                return self._walked(x, run, observe)

    def path(
        self,
        x: Tensor,
        context: Tensor | None = None,
        *,
        generator: torch.Generator | None = None,
        differentiable: bool = False,
    ) -> SamplePath:
        """Run the sampler and keep every state and what the denoiser thought the data were: progressive generation.

        Args:
            x: The state at the first time visited, ``[*batch, *event]``.
            context: Shape ``[*batch, *context_shape]``, if the denoiser takes one.
            generator: The source of randomness; torch's global one if None.
            differentiable: Keep the graph.
        """
        states, means = [x], []

        def observe(progress: Progress) -> None:
            states.append(progress.x)
            means.append(torch.full_like(x, torch.nan) if progress.mean is None else progress.mean)

        self(x, context, generator=generator, differentiable=differentiable, callback=observe)
        along = x.dim() - self.denoiser.event_dim
        order = 1 if self.from_data else -1
        return SamplePath(self.grid.times, torch.stack(states[::order], along), torch.stack(means[::order], along))

    def from_level(self, t: float) -> Sampler:
        """The same sampler from a middle time on, for samples that share one noisy state.

        Args:
            t: The noisiest time visited, inside the grid; it need not be one of its times.

        Example:
            >>> import torch
            >>> from probgen.diffusion.samplers import ancestral
            >>> from probgen.distributions.chains import GaussianDenoiser, TimeGrid, linear_schedule
            >>> oracle = GaussianDenoiser(linear_schedule(), torch.zeros(2), torch.tensor(0.25))
            >>> ancestral(oracle, TimeGrid(10)).from_level(0.35).grid.times.tolist()
            [0.0, 0.1, 0.2, 0.30..., 0.35]
        """
        return self._with(self.denoiser, self.grid.between(float(self.grid.times[0]), t))

    def with_denoiser(self, denoiser: Denoiser) -> Sampler:
        """The same sampler with another denoiser, for example a guided one.

        Args:
            denoiser: The denoiser, of the same event shape.
        """
        return self._with(denoiser, self.grid)

    def _with(self, denoiser: Denoiser, grid: TimeGrid) -> Sampler:
        return Sampler(self.name, denoiser, grid, self._steps_of, from_data=self.from_data)

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps, one for every pair of times of the grid, in the order of generation."""
        if any(True for _ in self.denoiser.schedule.parameters()):
            return tuple(self._steps_of(self.denoiser, self.grid))
        return self._steps

    def __repr__(self) -> str:
        pairs = self._pairs
        return f"Sampler({self.name}, {len(pairs)} steps from t={pairs[0][0]:g} to t={pairs[-1][1]:g})"

    @property
    def _pairs(self) -> list[tuple[float, float]]:
        """The pairs (t, s) in the order in which they are visited."""
        return [(s, t) for t, s in reversed(list(self.grid))] if self.from_data else list(self.grid)

    def _walked(self, x: Tensor, run: Run, observe: Callable[[Progress], None] | None) -> Tensor:
        state = State(x)
        if observe is None:
            for step in self.steps:
                state = step(state, run)
            return state.x
        for index, (step, (t, s)) in enumerate(zip(self.steps, self._pairs, strict=True)):
            state = step(state, run)
            observe(Progress(index, len(self.grid), t, s, state.x, state.means[0] if run.recording and state.means else None))
        return state.x


def _drawn_from(generator: torch.Generator | None) -> Callable[[Tensor], Tensor]:
    def noise(like: Tensor) -> Tensor:
        return torch.randn(like.shape, dtype=like.dtype, device=like.device, generator=generator)

    return noise


@contextmanager
def _observed(
    total: int, callback: Callable[[Progress], None] | None, *, progress: bool
) -> Iterator[Callable[[Progress], None] | None]:
    """The callback, with a progress bar if wanted; None if nobody looks."""
    if not progress:
        yield callback
        return
    from tqdm import tqdm

    bar: Any = tqdm(total=total, unit="step", desc="sample", leave=True)

    def observe(state: Progress) -> None:
        bar.update(1)
        if callback is not None:
            callback(state)

    try:
        yield observe
    finally:
        bar.close()
