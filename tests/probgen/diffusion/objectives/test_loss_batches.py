"""A time for every datum of a batch, and the mean over data and coordinates."""

import pytest
import torch

from probgen.diffusion.objectives import ContinuousTimes, LossAwareSteps
from probgen.diffusion.objectives.loss_batches import draw_times, mean_per_coordinate, require_data
from probgen.distributions.chains import TimeGrid


def test_every_datum_has_a_time_of_its_own():
    draws = draw_times(ContinuousTimes(), torch.zeros(3, 5, 2, 2), event_dim=2)
    assert {field.shape for field in draws} == {torch.Size([3, 5])}
    assert len(draws.t.unique()) == 15


def test_samplers_learn_from_losses_of_any_batch_shape():
    flat, shaped = LossAwareSteps(TimeGrid(4)), LossAwareSteps(TimeGrid(4))
    draws = draw_times(shaped, torch.zeros(3, 5, 1), event_dim=1)
    losses = torch.rand(3, 5)
    shaped.learn(draws, losses)
    flat.learn(type(draws)(*(field.reshape(-1) for field in draws)), losses.reshape(-1))
    assert torch.equal(shaped.second_moment, flat.second_moment)
    assert shaped.seen.sum() == 15


def test_mean_is_over_coordinates_too():
    assert mean_per_coordinate(torch.tensor([6.0, 12.0]), (3, 1)) == 3.0
    assert mean_per_coordinate(torch.tensor([6.0, 12.0]), ()) == 9.0


def test_no_data_are_refused():
    require_data(torch.zeros(1, 0), event_dim=1)
    with pytest.raises(ValueError, match="at least one datum"):
        require_data(torch.zeros(2, 0, 3), event_dim=1)
