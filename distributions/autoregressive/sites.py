r"""An autoregressive law as a Pyro program with a site for every position.

As one site a law is scored by one pass of its network. Position by position it can be taken apart: single pixels conditioned
or intervened upon, and short sequences enumerated exactly (``TraceEnum_ELBO``, ``infer_discrete``). A site's parameters
depend on all values before it, so enumerating D positions of S values needs tables of :math:`S^D` entries.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING

import pyro
import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from probgen.distributions.autoregressive.completion import require_bound
from probgen.distributions.bijectors.incremental import State

if TYPE_CHECKING:
    from probgen.distributions.autoregressive.distribution import Autoregressive

__all__ = ["SiteProgram"]


class SiteProgram:
    r"""A Pyro program that draws the positions of an autoregressive law one after the other.

    The log-probability of its trace is that of the law at what it returns. Every site has the batch shape of the law, so
    plates stand to the left, or around the law's own batch. Values that broadcast (plates, enumeration) widen the state of
    the network.

    Args:
        law: The law, with its context bound.
        name: Sites are called ``name_0``, ``name_1``, ... on a line and ``name_row_column`` on a grid; or a function from the
            index of a position to its name.

    Raises:
        ContextError: the law still wants a context.
        ValueError: two positions have the same name.

    Example:
        >>> import pyro
        >>> import torch
        >>> from pyro import poutine
        >>> from probgen.distributions import Autoregressive
        >>> from probgen.distributions.elements import BernoulliElement
        >>> from probgen.nn import MADE
        >>> p = Autoregressive(MADE(4, 1, hidden=(8,)), (2, 2), BernoulliElement())
        >>> program = pyro.condition(p.as_sites(), data={"x_1_0": torch.tensor(1.0)})
        >>> trace = poutine.trace(program).get_trace()
        >>> x = trace.nodes["_RETURN"]["value"]
        >>> x.shape, x[1, 0], torch.allclose(trace.log_prob_sum(), p.log_prob(x))
        (torch.Size([2, 2]), tensor(1.), True)
    """

    def __init__(self, law: Autoregressive, name: str | Callable[[tuple[int, ...]], str] = "x") -> None:
        require_bound(law)
        self.law = law
        indices = list(itertools.product(*(range(size) for size in law.positions.grid)))
        if isinstance(name, str):
            self.names = ["_".join([name, *map(str, index)]) for index in indices]
        else:
            self.names = [name(index) for index in indices]
        if len(set(self.names)) < len(self.names):
            raise ValueError("`name` must give every position a name of its own; some are the same.")

    def __call__(self) -> Tensor:
        """Draw all sites; returns the event ``[*batch, *event]``."""
        law, levels = self.law, self.law.positions.levels
        context = None if law.context is None else law.context.expand(*law.batch_shape, *(law.network.context_shape or ()))
        state, params = law.network.init_state(law.batch_shape, context)
        batch, found = law.batch_shape, {}
        for number, level in enumerate(levels):
            for place, position in enumerate(level):
                found[position] = pyro.sample(self.names[position], law.element(params[..., place, :]))
            if number + 1 < len(levels):
                values = self._together([found[position] for position in level], batch)
                state, batch = _widened(state, batch, values.shape[: values.dim() - 1 - len(law.positions.element)])
                state, params = law.network.step(state, law._seen(values))
        return law.positions.events(self._together([found[position] for position in range(law.positions.number)], batch))

    def data(self, x: Tensor) -> dict[str, Tensor]:
        """The values of an event by the names of their sites, for ``pyro.condition`` or ``poutine.substitute``.

        Args:
            x: Events ``[*batch, *event]``.
        """
        rows = self.law.positions.rows(x)
        return dict(zip(self.names, rows.unbind(rows.dim() - 1 - len(self.law.positions.element)), strict=True))

    def event(self, values: dict[str, Tensor]) -> Tensor:
        """Put the values of sites together, ``[*batch, *event]``: the inverse of ``data``.

        Args:
            values: A value ``[*batch, *element]`` for each name, as ``Predictive`` gives them; others are ignored.
        """
        return self.law.positions.events(self._together([values[name] for name in self.names], torch.Size()))

    def _together(self, values: list[Tensor], batch: torch.Size) -> Tensor:
        """Values ``[*batch, *element]`` of some positions as rows, after broadcasting with each other and a batch."""
        inner = self.law.positions.element
        shape = torch.broadcast_shapes(batch, *(value.shape[: value.dim() - len(inner)] for value in values))
        return torch.stack([value.expand((*shape, *inner)) for value in values], len(shape))


def _widened(state: State, before: torch.Size, batch: torch.Size) -> tuple[State, torch.Size]:
    """Repeat a state along new or wider batch dimensions, on the left as broadcasting does."""
    if before == batch:
        return state, batch
    ones = (1,) * (len(batch) - len(before))

    def widen(leaf: Tensor) -> Tensor:
        return leaf.reshape(*ones, *leaf.shape).expand((*batch, *leaf.shape[len(before) :]))

    return pytree.tree_map_only(Tensor, widen, state), batch
