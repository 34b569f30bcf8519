"""Dequantization loses nothing, and its volume bookkeeping is right."""

import pytest
import torch

from probgen.data import dequantize, from_logits, quantize, to_logits


@pytest.mark.parametrize("levels", [2, 17, 256, 65536])
def test_every_level_comes_back(levels):
    x = torch.arange(levels).repeat(3)
    v = dequantize(x, levels, generator=torch.Generator().manual_seed(0))
    assert bool(((v >= 0) & (v < 1)).all())
    assert torch.equal(quantize(v, levels), x)


@pytest.mark.parametrize("levels", [17, 256, 65536])
@pytest.mark.parametrize("extreme", [0.0, 1 - 2**-24])
def test_the_extreme_draws_stay_in_their_cell(levels, extreme, monkeypatch):
    monkeypatch.setattr(torch, "rand", lambda shape, **options: torch.full(shape, extreme))
    x = torch.arange(levels)
    assert torch.equal(quantize(dequantize(x, levels), levels), x)


def test_logit_log_det_is_that_of_autograd():
    v = torch.rand(4, 3, dtype=torch.float64)
    y, log_det = to_logits(v, 0.05)
    jacobian = torch.func.vmap(torch.func.jacrev(lambda u: to_logits(u, 0.05)[0]))(v)
    assert torch.allclose(log_det, torch.linalg.slogdet(jacobian).logabsdet, atol=1e-12)
    assert torch.allclose(from_logits(y, 0.05), v, atol=1e-14)


def test_image_events_are_summed():
    assert to_logits(torch.rand(2, 8, 8), event_dim=2)[1].shape == (2,)
    assert to_logits(torch.rand(2, 8), event_dim=0)[1].shape == (2, 8)


def test_errors():
    with pytest.raises(ValueError, match="alpha"):
        to_logits(torch.rand(2), 0.5)
    with pytest.raises(ValueError, match="levels"):
        dequantize(torch.zeros(2), 0)
    with pytest.raises(ValueError, match="at most 419430"):
        dequantize(torch.zeros(2), 2**20)
