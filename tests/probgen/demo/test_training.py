"""Training is reproducible, and it lowers the loss."""

from dataclasses import replace

import torch

from probgen.demo import ENTRIES, Settings, image_batches, load_problem, train


def test_training_twice_gives_the_same_and_lowers_the_loss():
    settings = replace(Settings.smoke(), steps=12)
    problem = load_problem(settings)
    first, second = (train(ENTRIES["spline coupling"], problem, settings, conditional=True)[1] for _ in range(2))
    assert torch.equal(first, second)
    assert first[-3:].mean() < first[:3].mean() - 1


def test_batches_hold_fresh_noise_of_the_same_images():
    problem = load_problem(Settings.smoke())
    batches = image_batches(problem, conditional=False, seed=0)
    first, second = (torch.cat([batch[0] for batch in batches]) for _ in range(2))
    assert first.shape == (1152, 64)  # nine full batches
    assert not torch.equal(first.sort(0).values, second.sort(0).values)


def test_averaged_weights_are_those_of_the_moving_average():
    """With a decay that leaves the start as it is, training changes nothing; without an average it does."""
    settings = replace(Settings.smoke(), steps=2)
    problem = load_problem(settings)
    entry = ENTRIES["adversarial network"]
    torch.manual_seed(settings.seed)
    start = entry.build(problem, conditional=True)
    kept, last = (train(replace(entry, averaging=decay), problem, settings, conditional=True)[0] for decay in (1 - 1e-9, None))
    # the warm-up of the average takes the first turns in: it lies between the start and the end
    for a, b, c in zip(start.parameters(), kept.parameters(), last.parameters(), strict=True):
        assert (b - a).norm() < (c - a).norm()
    assert not kept.training
