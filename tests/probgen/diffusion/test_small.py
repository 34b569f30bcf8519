"""The small image model: any context, a step of training, data in range."""

import pytest
import torch

import probgen as pg
from probgen.diffusion.small import centered_digits, image_diffusion


@pytest.mark.parametrize(
    ("conditioning", "context"),
    [
        (None, None),
        (pg.nn.ClassConditioning(10), torch.arange(2)),
        (pg.nn.TextConditioning(7, 3, width=16), torch.ones(2, 3, dtype=torch.long)),
        (pg.nn.ImageConditioning(2, 4, 4), torch.zeros(2, 2, 4, 4)),
    ],
    ids=["none", "class", "text", "image"],
)
def test_every_kind_of_context_trains_and_samples(conditioning, context):
    torch.manual_seed(0)
    d = image_diffusion((1, 8, 8), conditioning=conditioning, width=8)
    x = centered_digits()[0][:2]
    d.denoising_loss()(x, context).backward()
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in d.parameters())
    assert d.ddim(steps=2)(d.prior.sample((2,)), context).shape == x.shape


def test_digits_are_centered():
    for split, count in (("train", 1200), ("validation", 200), ("test", 397)):
        x, label = centered_digits(split)
        assert x.shape == (count, 1, 8, 8)
        assert label.shape == (count,)
        assert x.abs().max() == 1
