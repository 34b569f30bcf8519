"""Elements with other libraries' constants: written out once more, from their documentation."""

import math

import pytest
import torch

from probgen.flows import ImportedAffine, ImportedSpline


def test_scales_of_each_style() -> None:
    """The table of the module, number by number."""
    a = torch.tensor([-3.0, 0.0, 2.0], dtype=torch.float64)
    raw = torch.stack([torch.zeros_like(a), a], -1)
    x = torch.ones_like(a)
    zuko = ImportedAffine("zuko", floor=1e-2).element_forward(x, raw)[0]
    assert torch.allclose(zuko, (a / (1 + (a / math.log(1e-2)).abs())).exp())
    assert torch.allclose(ImportedAffine("nflows").element_forward(x, raw.flip(-1))[0], (1 + a.exp()).log() + 1e-3)
    assert torch.allclose(ImportedAffine("nflows coupling").element_forward(x, raw)[0], torch.sigmoid(a + 2) + 1e-3)


def test_floors_of_bins_and_slopes() -> None:
    """However small the numbers, a bin keeps its floor and a slope its own."""
    spline = ImportedSpline("nflows", bins=4, bound=1.0, floors=(0.1, 0.05, 0.2), factor=0.5)
    raw = torch.tensor([-200.0, 0.0, 0.0, 0.0] * 2 + [-200.0] * 3, dtype=torch.float64)
    widths, heights, slopes = spline.values_from_raw(raw)
    assert torch.allclose(widths, torch.tensor([0.1, 0.3, 0.3, 0.3], dtype=torch.float64))
    assert torch.allclose(heights[0], torch.tensor(0.05, dtype=torch.float64))
    assert torch.allclose(slopes, torch.full((3,), 0.2, dtype=torch.float64))


def test_styles_are_checked() -> None:
    """By name."""
    with pytest.raises(ValueError, match="`style` must be one of"):
        ImportedAffine("normflows")
    with pytest.raises(ValueError, match="`style` must be"):
        ImportedSpline("nflows coupling")
