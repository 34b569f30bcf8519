r"""Where does a composed bijector lose its digits? ``diagnose_bijector`` looks at every layer.

For layer :math:`k` with input :math:`z` it reports the round-trip error :math:`\max |f_k^{-1}(f_k(z)) - z|`, the smallest
and largest singular value of its Jacobian (the slopes, for an elementwise map), their ratio (the conditioning), and the
share of inputs beyond the layer's bound or, if it has none, beyond five in absolute value.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from probgen.distributions.bijectors import Bijector
from probgen.distributions.testing.conditioning import steps
from probgen.distributions.testing.jacobians import jacobian
from probgen.distributions.testing.validation import validation

__all__ = ["BijectorDiagnosis", "LayerDiagnosis", "diagnose_bijector"]

TAIL = 5.0


@dataclass(frozen=True)
class LayerDiagnosis:
    """What was measured at one layer.

    Attributes:
        name: Position and class.
        round_trip: Largest absolute round-trip error of the layer alone; infinite if it is not finite.
        smallest_slope: Smallest singular value of the Jacobian over the points.
        largest_slope: Largest singular value.
        tails: Share of inputs in the tails.

    Example:
        >>> from probgen.distributions.testing import LayerDiagnosis
        >>> LayerDiagnosis("0 Affine", 0.0, smallest_slope=0.5, largest_slope=2.0, tails=0.0).conditioning
        4.0
    """

    name: str
    round_trip: float
    smallest_slope: float
    largest_slope: float
    tails: float

    @property
    def conditioning(self) -> float:
        """Largest over smallest slope."""
        return self.largest_slope / self.smallest_slope if self.smallest_slope > 0 else math.inf


@dataclass(frozen=True)
class BijectorDiagnosis:
    """The layers, and the round trip of the whole map.

    Attributes:
        layers: One entry for each layer, in the order of ``forward``.
        round_trip: Largest absolute round-trip error of the whole map.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Shift
        >>> from probgen.distributions.testing import diagnose_bijector
        >>> print(diagnose_bijector(Shift(1.0), torch.zeros(3)).layers[0])
        LayerDiagnosis(name='Shift', round_trip=0.0, smallest_slope=1.0, largest_slope=1.0, tails=0.0)
    """

    layers: tuple[LayerDiagnosis, ...]
    round_trip: float

    @property
    def worst(self) -> LayerDiagnosis:
        """The layer with the largest round-trip error; among equals, the worst conditioned."""
        return max(self.layers, key=lambda layer: (layer.round_trip, layer.conditioning))

    def __str__(self) -> str:
        header = f"{'layer':<40} {'round trip':>10} {'min slope':>10} {'max slope':>10} {'condition':>10} {'tails':>7}"
        rows = [
            f"{layer.name[:40]:<40} {layer.round_trip:>10.1e} {layer.smallest_slope:>10.3g} {layer.largest_slope:>10.3g} "
            f"{layer.conditioning:>10.3g} {layer.tails:>7.1%}"
            for layer in self.layers
        ]
        return "\n".join([header, *rows, f"whole map: round trip {self.round_trip:.1e}; look first at layer {self.worst.name}"])


def diagnose_bijector(bijector: Bijector, x: Tensor, context: Tensor | None = None) -> BijectorDiagnosis:
    """Measure every layer of a bijector at the points ``x``, in the dtype of ``x``.

    Args:
        bijector: Any bijector; compositions are opened.
        x: Points of its domain, shape ``[*batch, *event]``.
        context: Its context.

    Returns:
        The diagnosis; ``print`` shows a table.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Affine, Compose, Exp
        >>> from probgen.distributions.testing import diagnose_bijector
        >>> diagnosis = diagnose_bijector(Compose(Affine(0.0, 1e3), Exp()), torch.tensor([-0.2, 0.0]))
        >>> diagnosis.worst.name, diagnosis.round_trip
        ('1 Exp', 0.11)
    """
    found, z = [], x.detach()
    with validation(enabled=False):
        for name, layer, own in steps(bijector, context):
            z, entry = _measure(name, layer, own, z)
            found.append(entry)
        with torch.no_grad():
            back = bijector._inverse(bijector._forward(x, context), context)
    return BijectorDiagnosis(tuple(found), _largest(back - x))


def _measure(name: str, layer: Bijector, context: Tensor | None, z: Tensor) -> tuple[Tensor, LayerDiagnosis]:
    """The value after the layer, and what was measured there."""
    with torch.no_grad():
        y = layer._forward(z, context)
        back = layer._inverse(y, context)
    matrix = jacobian(lambda value: layer._forward(value, context), z, layer.domain.event_dim, layer.codomain.event_dim)
    slopes = torch.linalg.svdvals(matrix.double().nan_to_num())
    own = getattr(layer, "bound", None)
    bound = float(own) if isinstance(own, (int, float)) else TAIL
    return y, LayerDiagnosis(
        name, _largest(back - z), float(slopes.min()), float(slopes.max()), float((z.abs() > bound).double().mean())
    )


def _largest(error: Tensor) -> float:
    return math.inf if not bool(error.isfinite().all()) else float(error.abs().max()) if error.numel() else 0.0
