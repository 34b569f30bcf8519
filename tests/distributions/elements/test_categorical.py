"""Categorical elements: integers or levels, expected values for pictures."""

import pytest
import torch

from probgen.distributions import CategoricalLevels, Quantization
from probgen.distributions.chains import IndependentCategorical
from probgen.distributions.elements import CategoricalElement


def test_integers_in_any_dtype():
    logits = torch.tensor([[0.0, 1.0, -1.0], [2.0, 0.0, 0.0]])
    law = CategoricalElement(3)(logits)
    assert isinstance(law, IndependentCategorical)
    assert law.sample().dtype == torch.int64
    expected = logits.log_softmax(-1)[[0, 1], [2, 0]]
    for dtype in (torch.int64, torch.uint8, torch.float32):
        assert torch.allclose(law.log_prob(torch.tensor([2, 0]).to(dtype)), expected)
    assert torch.allclose(law.mean, logits.softmax(-1) @ torch.arange(3.0))


def test_levels_of_a_quantization():
    levels = Quantization(4, 0.0, 1.0)
    law = CategoricalElement(levels)(torch.tensor([0.0, 0.0, 0.0, torch.inf]).nan_to_num(posinf=50.0))
    assert isinstance(law, CategoricalLevels)
    assert float(law.sample()) == 1.0
    assert float(law.mean) == pytest.approx(1.0)


def test_values_outside_are_errors():
    with pytest.raises(ValueError, match="support"):
        CategoricalElement(3)(torch.zeros(2, 3)).log_prob(torch.tensor([0, 3]))
    with pytest.raises(ValueError, match="`values` must be positive; got 0"):
        CategoricalElement(0)
    assert repr(CategoricalElement(3)) == "CategoricalElement(3)"
