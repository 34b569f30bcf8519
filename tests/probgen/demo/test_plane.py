"""Fits in the plane: the divergence is measured against the true density, and training lowers it."""

from dataclasses import replace

import torch

from probgen.demo import PlaneFit, Settings, fit_plane


def test_training_lowers_the_divergence():
    untrained = fit_plane("eight Gaussians", replace(Settings.smoke(), toy_steps=1))
    trained = fit_plane("eight Gaussians", replace(Settings.smoke(), toy_steps=40))
    assert isinstance(trained, PlaneFit)
    assert trained.divergence < untrained.divergence - 0.1
    assert trained.fitted(torch.zeros(3, 2)).shape == (3,)
