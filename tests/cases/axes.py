"""Cases of bijectors of events with axes: squeezing, maps along an axis, couplings of channels and pixels, factoring out."""

import torch
from torch import Tensor, nn

from probgen.distributions.bijectors import (
    ActNorm,
    Affine,
    Along,
    Bijector,
    Compose,
    FactorOut,
    Householder,
    LULinear,
    MaskedCoupling,
    Permutation,
    Planar,
    QRLinear,
    RationalQuadraticSpline,
    Reshape,
    Shift,
    SplitCoupling,
    Squeeze,
    checkerboard_mask,
)
from probgen.distributions.testing import BijectorCase


class _Conditioner(nn.Module):
    """A small smooth convolutional network; a context vector is added to the channels."""

    def __init__(self, inputs: int, outputs: int, context: int = 0, axes: int = 2) -> None:
        super().__init__()
        convolution = {1: nn.Conv1d, 2: nn.Conv2d}[axes]
        self.first, self.last = convolution(inputs, 4, 3, padding=1), convolution(4, outputs, 3, padding=1)
        self.bias = nn.Linear(context, 4) if context else None
        self.axes = axes

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        hidden = self.first(x)
        if self.bias is not None and context is not None:
            hidden = hidden + self.bias(context).unflatten(-1, (4,) + (1,) * self.axes)
        return self.last(torch.tanh(hidden))


def _split(element: type, context: int = 0, *, flip: bool = False) -> Bijector:
    made = element()
    network = _Conditioner(1, 2 * made.num_free, context)
    return SplitCoupling(made, network, (1, 2), flip=flip, context_shape=(context,) if context else None)


def _multi_scale() -> Bijector:
    coarse = Compose(Reshape((4,), (1, 2, 2)), ActNorm((1, 1, 1)))
    prior = SplitCoupling(Affine(), _Conditioner(1, 6), (1, 3))
    return Compose(FactorOut(coarse, (3, 2, 2)), prior, Squeeze((2, 2)).inv)


def _wave() -> Bijector:
    coupling = SplitCoupling(Affine(), _Conditioner(1, 2, 2, axes=1), (1, 1), dim=-2, context_shape=(2,))
    return Compose(Along(QRLinear(2).inv, -2), coupling, Squeeze((2,)).inv)


BIJECTORS = {
    "Squeeze": BijectorCase(lambda: Squeeze((2, 2)), event_shape=(1, 2, 4)),
    "Squeeze(waves)": BijectorCase(lambda: Squeeze((3,)), event_shape=(2, 3)),
    "Along(LULinear)": BijectorCase(lambda: Along(LULinear(3), -3), event_shape=(3, 2, 1)),
    "Along(LULinear, inverted)": BijectorCase(lambda: Along(LULinear(3).inv, -3), event_shape=(3, 1, 2)),
    "Along(Householder)": BijectorCase(lambda: Along(Householder(2), -2), event_shape=(2, 3)),
    "Along(Permutation)": BijectorCase(lambda: Along(Permutation([1, 2, 0]), -1), event_shape=(3,)),
    "Along(Planar, context)": BijectorCase(
        lambda: Along(Planar(2, conditioner=nn.Linear(3, 5), context_shape=(3,)), -2), event_shape=(2, 3)
    ),
    "ActNorm": BijectorCase(lambda: ActNorm((3, 1, 1)), event_shape=(3, 2, 1)),
    "SplitCoupling(Affine)": BijectorCase(lambda: _split(Affine), event_shape=(3, 2, 2)),
    "SplitCoupling(Shift, flipped)": BijectorCase(lambda: _split(Shift, flip=True), event_shape=(3, 2, 2)),
    "SplitCoupling(spline, context)": BijectorCase(lambda: _split(RationalQuadraticSpline, 2), event_shape=(3, 2, 2)),
    "MaskedCoupling": BijectorCase(
        lambda: MaskedCoupling(Affine(), _Conditioner(2, 4), checkerboard_mask((2, 2, 3))), event_shape=(2, 2, 3)
    ),
    "MaskedCoupling(context)": BijectorCase(
        lambda: MaskedCoupling(Affine(), _Conditioner(1, 2, 2), checkerboard_mask((1, 2, 3), flip=True), context_shape=(2,)),
        event_shape=(1, 2, 3),
    ),
    "FactorOut": BijectorCase(_multi_scale, event_shape=(16,)),
    "Compose(wave)": BijectorCase(_wave, event_shape=(2, 3)),
}
