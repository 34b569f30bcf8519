"""Training is reproducible, and it lowers the loss."""

from dataclasses import replace

import torch

from probgen.demo import ENTRIES, Settings, digit_batches, load_problem, train


def test_training_twice_gives_the_same_and_lowers_the_loss():
    settings = replace(Settings.smoke(), steps=12)
    problem = load_problem(settings)
    first, second = (train(ENTRIES["spline coupling"], problem, settings, conditional=True)[1] for _ in range(2))
    assert torch.equal(first, second)
    assert first[-3:].mean() < first[:3].mean() - 1


def test_batches_hold_fresh_noise_of_the_same_images():
    problem = load_problem(Settings.smoke())
    batches = digit_batches(problem, conditional=False, seed=0)
    first, second = (torch.cat([batch[0] for batch in batches]) for _ in range(2))
    assert first.shape == (1152, 64)  # nine full batches
    assert not torch.equal(first.sort(0).values, second.sort(0).values)
