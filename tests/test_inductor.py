"""Six classes compiled whole by inductor, in both directions; the laws compile every class with the aot_eager backend."""

import shutil

import pytest
import torch

from tests.cases import BIJECTORS

NAMES = [
    "Affine(free)",
    "RationalQuadraticSpline(free)",
    "LULinear",
    "neural_spline_coupling",
    "MaskedAutoregressive(Affine)",
    "MixtureOfLogisticsCDF",
]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="inductor needs a C++ compiler")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # raised inside inductor
@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_inductor_gives_the_eager_result(name):
    case = BIJECTORS[name]
    bijector = case.make()
    x = torch.randn(8, *(case.event_shape or tuple(bijector.forward_shape(()))))
    y, fldj = bijector.forward_and_log_det(x)
    torch._dynamo.reset()
    forward = torch.compile(bijector.forward_and_log_det, fullgraph=True)
    inverse = torch.compile(bijector.inverse_and_log_det, fullgraph=True)
    for got, expected in zip((*forward(x), *inverse(y)), (y, fldj, x, -fldj), strict=True):
        torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)
    torch._dynamo.reset()
