"""Reports leave the modes of a model as they were."""

import torch

import probgen as pg
from probgen.diffusion import Codec, Diffusion, bits_report, bound_estimate


def test_frozen_parts_of_a_model_in_training_stay_frozen():
    d = Diffusion(pg.nn.DenoisingMLP(2, hidden=(8,)), pg.diffusion.cosine_schedule(), (2,), grid=3).train()
    d.denoiser.network.eval()
    modes = [part.training for part in d.modules()]
    x = torch.randn(2, 2)
    Codec(d).encode(x, stop=3)
    bits_report(d, x)
    bound_estimate(d, x)
    assert [part.training for part in d.modules()] == modes
