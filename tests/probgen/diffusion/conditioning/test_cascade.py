"""Cascades: the order of the stages, what they are told, what is not available."""

import pytest
import torch

from probgen.diffusion.conditioning import Cascade, augmented_context
from probgen.distributions import DensityUnavailable, standard_normal
from probgen.distributions.chains import cosine_schedule


def doubled(context):
    return context[:, :1].repeat_interleave(2, -1).repeat_interleave(2, -2)


def test_every_stage_sees_the_image_before_it():
    contexts = []

    def stage(context):
        contexts.append(context)
        return doubled(context) + 1

    torch.manual_seed(0)
    law = Cascade(standard_normal((1, 2, 2)), [stage, stage], event_shape=(1, 8, 8))
    small, middle, large = law.path((3, 2))
    assert small.shape == (3, 2, 1, 2, 2)
    assert large.shape == (3, 2, 1, 8, 8)
    torch.testing.assert_close(contexts[1].reshape(middle.shape), middle)
    torch.testing.assert_close(large[..., ::4, ::4], small + 2)
    assert law.expand((4,)).sample((5,)).shape == (5, 4, 1, 8, 8)


def test_augmentation_noises_the_image_and_says_how_much():
    torch.manual_seed(0)
    schedule = cosine_schedule()
    image, t = torch.ones(4000, 1, 2, 2), torch.linspace(0.1, 0.9, 4000)
    context = augmented_context(image, schedule, t)
    assert context.shape == (4000, 2, 2, 2)
    level = schedule.level(t)
    torch.testing.assert_close(context[:, 1, 0, 1], level.sigma.float())
    noise = (context[:, 0] - level.alpha.float()[:, None, None]) / level.sigma.float()[:, None, None]
    assert abs(float(noise.std()) - 1) < 0.05
    law = Cascade(standard_normal((1, 2, 2)), [doubled], event_shape=(1, 4, 4), schedule=schedule, augmentation=0.3)
    assert law.sample((7,)).shape == (7, 1, 4, 4)


def test_what_is_wrong_is_named():
    with pytest.raises(ValueError, match="`stages` must not be empty"):
        Cascade(standard_normal((2,)), [], event_shape=(2,))
    with pytest.raises(ValueError, match="last of `stages` must return events"):
        Cascade(standard_normal((1, 2, 2)), [doubled], event_shape=(1, 8, 8)).sample()
    with pytest.raises(DensityUnavailable, match="integrated out"):
        Cascade(standard_normal((1, 2, 2)), [doubled], event_shape=(1, 4, 4)).log_prob(torch.zeros(1, 4, 4))
