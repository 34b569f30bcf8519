r"""The sum of autoregressive networks: :math:`\theta_i(x_{A_i}, c) = \sum_m \theta^{(m)}_i(x_{A_i}, c)`.

Every term sees what comes before, so the sum does. A linear term beside a deep one is the skip connection from inputs to
outputs of Germain et al. (2015); its state is the states of the terms.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn

from probgen.distributions.bijectors.incremental import IncrementalNetwork, State

__all__ = ["NetworkSum"]


class NetworkSum(IncrementalNetwork):
    r"""An incremental network that adds what others give, :math:`\theta = \sum_m \theta^{(m)}`.

    Args:
        *networks: Incremental networks of one order, of the same sizes, at least one; those that take a context take the same.

    Raises:
        ValueError: there is none, or they differ in order or sizes.

    References:
        Germain, Gregor, Murray, Larochelle (2015). MADE: masked autoencoder for distribution estimation, section 4.
        https://arxiv.org/abs/1502.03509

    Example:
        >>> import torch
        >>> from probgen.nn import MADE, NetworkSum
        >>> first, second = MADE(3, 2, hidden=(8,)), MADE(3, 2, hidden=(16, 16))
        >>> x = torch.randn(5, 3)
        >>> torch.equal(NetworkSum(first, second)(x), first(x) + second(x))
        True
    """

    def __init__(self, *networks: IncrementalNetwork) -> None:
        super().__init__()
        if not networks:
            raise ValueError("`networks` must hold at least one network.")
        for name in ("features", "num_inputs", "num_outputs", "levels"):
            found = [getattr(network, name) for network in networks]
            if any(value != found[0] for value in found):
                raise ValueError(f"`networks` must agree in `{name}`; got {found}.")
        shapes = {network.context_shape for network in networks} - {None}
        if len(shapes) > 1:
            raise ValueError(f"`networks` must take one context; got the shapes {sorted(map(str, shapes))}.")
        self.features, self.num_inputs = networks[0].features, networks[0].num_inputs
        self.num_outputs = networks[0].num_outputs
        self.context_shape = next(iter(shapes), None)
        self.networks = nn.ModuleList(networks)

    @property
    def levels(self) -> tuple[tuple[int, ...], ...]:
        """The coordinates of each topological level."""
        return self._terms()[0].levels

    def forward(self, values: Tensor, context: Tensor | None = None) -> Tensor:
        """All parameters in one pass: ``[*batch, D * C]`` to ``[*batch, D, P]``."""
        return _total([network(values, self._given(network, context)) for network in self._terms()])

    def init_state(self, batch_shape: Sequence[int], context: Tensor | None = None) -> tuple[State, Tensor]:
        """The states of the terms, and the parameters ``[*batch, n_0, P]`` of level 0."""
        found = [network.init_state(batch_shape, self._given(network, context)) for network in self._terms()]
        return tuple(state for state, _ in found), _total([params for _, params in found])

    def step(self, state: State, values: Tensor) -> tuple[State, Tensor]:
        """Take the values ``[*batch, n_k * C]`` of a level, give the parameters ``[*batch, n_{k+1}, P]`` of the next."""
        found = [network.step(part, values) for network, part in zip(self._terms(), state, strict=True)]
        return tuple(part for part, _ in found), _total([params for _, params in found])

    def _terms(self) -> list[IncrementalNetwork]:
        return cast(list[IncrementalNetwork], list(self.networks))

    def _given(self, network: IncrementalNetwork, context: Tensor | None) -> Tensor | None:
        """The context for a term that takes one; a term that takes none gets what is missing refused by the others."""
        return None if network.context_shape is None and self.context_shape is not None else context


def _total(terms: Sequence[Tensor]) -> Tensor:
    return sum(terms[1:], terms[0])
