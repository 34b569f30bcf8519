"""diagnose_bijector names the layer that loses the digits."""

import torch

from probgen.distributions.bijectors import Affine, Compose, Exp, Shift
from probgen.distributions.testing import BijectorDiagnosis, LayerDiagnosis, diagnose_bijector


def test_worst_layer_is_named():
    f = Compose(Affine(0.0, 1.0), Shift(1e6), Affine(0.0, 2.0))
    found = diagnose_bijector(f, torch.linspace(-1, 1, 11))
    assert isinstance(found, BijectorDiagnosis)
    assert found.worst.name == "1 Shift"
    assert "1 Shift" in str(found)
    assert len(str(found).splitlines()) == 5


def test_slopes_and_tails():
    (layer,) = diagnose_bijector(Exp(), torch.tensor([0.0, 1.0, 6.0], dtype=torch.float64)).layers
    assert isinstance(layer, LayerDiagnosis)
    assert layer.smallest_slope == 1.0
    assert abs(layer.largest_slope - 403.43) < 0.01
    assert abs(layer.tails - 1 / 3) < 1e-12
