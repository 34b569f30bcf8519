"""Dequantization loses nothing, and its volume bookkeeping is right."""

import math

import pytest
import torch

from probgen.data import dequantize, from_logits, logit_preprocessing, quantize, to_logits


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


def test_logit_preprocessing_is_the_bijector_of_to_logits():
    v = torch.rand(5, 3)
    y, log_det = to_logits(v, 0.1)
    f = logit_preprocessing(0.1, levels=17)
    z, ildj = f.inverse_and_log_det(17 * v)
    assert torch.allclose(z, y, atol=1e-5)
    assert torch.allclose(ildj.sum(-1), log_det - 3 * math.log(17), atol=1e-4)
    p = 0.1 + 0.8 * v
    assert torch.allclose(y, p.log() - (1 - p).log(), atol=1e-5)


@pytest.mark.parametrize(("options", "message"), [({"alpha": 0.5}, "`alpha` must lie"), ({"levels": 0}, "`levels` must be")])
def test_wrong_preprocessing_is_named(options, message):
    with pytest.raises(ValueError, match=message):
        logit_preprocessing(**options)
