"""Modes are restored part by part."""

import pytest
import torch

import probgen as pg
from probgen.diffusion import Codec, Diffusion, bits_report, bound_estimate
from probgen.diffusion.evaluation_mode import evaluating


def test_every_part_gets_its_own_mode_back_after_an_error_too():
    network = torch.nn.Sequential(torch.nn.Dropout(), torch.nn.Dropout().eval())
    with pytest.raises(RuntimeError), evaluating(network, torch.nn.Identity()):  # noqa: PT012  (what is tested is the block)
        assert not any(part.training for part in network.modules())
        raise RuntimeError
    assert [part.training for part in network.modules()] == [True, True, False]


def test_frozen_parts_of_a_model_in_training_stay_frozen():
    d = Diffusion(pg.nn.DenoisingMLP(2, hidden=(8,)), pg.diffusion.cosine_schedule(), (2,), grid=3).train()
    d.denoiser.network.eval()
    modes = [part.training for part in d.modules()]
    x = torch.randn(2, 2)
    Codec(d).encode(x, stop=3)
    bits_report(d, x)
    bound_estimate(d, x)
    assert [part.training for part in d.modules()] == modes
