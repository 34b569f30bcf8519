r"""What a causality certificate says: which position sees which, and what that means for an order.

With :math:`r_i` the rank of position :math:`i` in the order and :math:`S_{ij}` true where the parameters of position :math:`i`
depend on the value at position :math:`j`,

.. math::

    \text{leaks} = \{(i, j) : S_{ij},\ r_j \ge r_i\}, \qquad
    \text{reached} = \{(i, j) : S_{ij},\ r_j < r_i\}, \qquad
    \text{blind} = \{(i, j) : \lnot S_{ij},\ r_j < r_i\}.

A leak makes a "density" whose mass is not one. A blind position costs only power: the product of conditionals is a law all the
same, in which one position does not look at another.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from probgen.distributions.testing.law import LawViolation

__all__ = ["CausalityReport"]

_NAMED = 5
LAW = "parameters_see_only_earlier_positions"

Position = tuple[int, ...]


@dataclass(frozen=True)
class CausalityReport:
    """Which position's parameters depend on which position's values.

    Attributes:
        name: What was looked at.
        grid: Shape of the positions: ``(T,)``, ``(H, W)``, or ``(C, H, W)`` where each color is a position.
        rank: Place of each position in the order, integers ``[D]``; positions of equal rank may not see each other.
        depends: Booleans ``[D, D]``: entry ``[i, j]`` is whether the parameters of i depend on the value at j.
        methods: How dependence was found, of "jacobian" and "perturbation".
        inputs: Number of inputs.
        weights: Number of sets of weights: as built, and moved.

    Example:
        >>> import torch
        >>> from probgen.distributions.testing import CausalityReport
        >>> depends = torch.tensor([[0, 0, 0], [1, 0, 0], [0, 1, 1]]).bool()
        >>> report = CausalityReport("a chain", (3,), torch.arange(3), depends, ("jacobian",), 1, 1)
        >>> report.leaks, report.num_reached, report.num_earlier
        ([((2,), (2,))], 2, 3)
    """

    name: str
    grid: tuple[int, ...]
    rank: Tensor
    depends: Tensor
    methods: tuple[str, ...]
    inputs: int
    weights: int

    # ------------------------------------------------------------------------------------------------------------ pairs

    @property
    def earlier(self) -> Tensor:
        """Booleans ``[D, D]``: whether j comes before i."""
        return self.rank < self.rank.unsqueeze(-1)

    @property
    def reached(self) -> Tensor:
        """Booleans ``[D, D]``: earlier, and seen."""
        return self.depends & self.earlier

    @property
    def blind(self) -> Tensor:
        """Booleans ``[D, D]``: earlier, and not seen."""
        return self.earlier & ~self.depends

    @property
    def leaking(self) -> Tensor:
        """Booleans ``[D, D]``: seen, and not earlier."""
        return self.depends & ~self.earlier

    @property
    def leaks(self) -> list[tuple[Position, Position]]:
        """Every leak as (position whose parameters saw, position that was seen), outputs in the order of their rank."""
        pairs = sorted(self.leaking.nonzero().tolist(), key=lambda pair: (int(self.rank[pair[0]]), int(self.rank[pair[1]])))
        return [(self._place(i), self._place(j)) for i, j in pairs]

    # ----------------------------------------------------------------------------------------------------------- counts

    @property
    def passed(self) -> bool:
        """Whether nothing leaks."""
        return not bool(self.leaking.any())

    @property
    def num_leaks(self) -> int:
        """How many pairs leak."""
        return int(self.leaking.sum())

    @property
    def num_reached(self) -> int:
        """How many pairs of an earlier and a later position are connected."""
        return int(self.reached.sum())

    @property
    def num_earlier(self) -> int:
        """How many pairs of an earlier and a later position there are."""
        return int(self.earlier.sum())

    @property
    def receptive_field_sizes(self) -> Tensor:
        """How many earlier positions each position sees, integers of shape ``grid``."""
        return self.reached.sum(-1).reshape(self.grid)

    # -------------------------------------------------------------------------------------------------------- positions

    def receptive_field(self, position: int | Sequence[int]) -> Tensor:
        """The earlier positions that a position sees.

        Args:
            position: Index into ``grid``, or number of the position in row-major order.

        Returns:
            Booleans of shape ``grid``.

        Raises:
            ValueError: there is no such position.
        """
        return self.reached[self.index(position)].reshape(self.grid)

    def blind_spot(self, position: int | Sequence[int]) -> Tensor:
        """The earlier positions that a position does not see, booleans of shape ``grid``; see ``receptive_field``."""
        return self.blind[self.index(position)].reshape(self.grid)

    def leaks_of(self, position: int | Sequence[int]) -> Tensor:
        """The positions that a position sees and must not, booleans of shape ``grid``; see ``receptive_field``."""
        return self.leaking[self.index(position)].reshape(self.grid)

    def index(self, position: int | Sequence[int]) -> int:
        """Number of a position in row-major order.

        Args:
            position: Index into ``grid``, or already the number.

        Raises:
            ValueError: there is no such position.
        """
        if isinstance(position, int):
            if not 0 <= position < len(self.rank):
                raise ValueError(f"`position` must be an index into {self.grid}; got {position}.")
            return position
        place = tuple(operator.index(entry) for entry in position)
        fits = len(place) == len(self.grid) and all(0 <= entry < size for entry, size in zip(place, self.grid, strict=True))
        if not fits:
            raise ValueError(f"`position` must be an index into {self.grid}; got {position}.")
        return sum(entry * math.prod(self.grid[axis + 1 :]) for axis, entry in enumerate(place))

    def _place(self, number: int) -> Position:
        return tuple(int(entry) for entry in torch.unravel_index(torch.tensor(number), self.grid))

    # ---------------------------------------------------------------------------------------------------------- verdict

    def raise_if_leaking(self) -> None:
        """Raise if some position sees what it must not.

        Raises:
            LawViolation: it names the first leak, and how many there are.
        """
        if not self.passed:
            raise LawViolation(LAW, self.name, "parameters that do not depend on their own value or later ones", str(self))

    def __str__(self) -> str:
        leaks = self.leaks
        verdict = f"{len(leaks)} leak{'s' if len(leaks) != 1 else ''}" if leaks else "no leaks"
        share = f" ({self.num_reached / self.num_earlier:.1%})" if self.num_earlier else ""
        lines = [f"{self.name}, positions {self.grid}: {verdict}; {self.num_reached} of {self.num_earlier} reached{share}"]
        lines += [f"  {_text(seeing)} sees {_text(seen)}" for seeing, seen in leaks[:_NAMED]]
        lines += [f"  and {len(leaks) - _NAMED} more"] if len(leaks) > _NAMED else []
        return "\n".join([*lines, f"  by {' and '.join(self.methods)}; {self.inputs} inputs, {self.weights} sets of weights"])


def _text(position: Position) -> str:
    return str(position[0]) if len(position) == 1 else str(position)
