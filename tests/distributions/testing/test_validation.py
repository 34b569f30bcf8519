"""The switch is put back, also after an error."""

import pytest
import torch
from torch.distributions import Distribution

from probgen.distributions.bijectors import Exp
from probgen.distributions.testing import validation


def test_switch_is_restored():
    before = Distribution._validate_args
    with pytest.raises(ValueError, match="must satisfy"), validation(enabled=True):
        Exp().inverse(torch.tensor(-1.0))
    assert Distribution._validate_args == before
    with validation(enabled=False):
        assert Exp().inverse(torch.tensor(-1.0)).isnan()
