"""Draws of every shipped model, in one range and one shape."""

from __future__ import annotations

from pathlib import Path

import torch

from probgen.pretrained import pretrained_names
from tests.examples.loading import load


def test_every_family_draws_two_of_each_digit(tmp_path: Path):
    made = load("five_models").main(["--smoke", "--out", str(tmp_path)])
    assert tuple(made) == pretrained_names()
    for name, x in made.items():
        assert x.shape == (20, 8, 8), name
        assert -1 <= x.min() < -0.9, name
        assert x.max() <= 1, name
        assert x.std() > 0.5, f"{name}: paper and ink"
    assert (tmp_path / "five_models.png").stat().st_size > 1000
    assert not torch.equal(made["gan-digits"][:10], made["gan-digits"][10:])
