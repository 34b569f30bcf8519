"""Progressive distillation: a student that makes the teacher's two steps in one has no loss."""

import pytest
import torch

import probgen as pg
from probgen.diffusion.objectives import ProgressiveDistillationLoss
from probgen.distributions.chains import Denoiser, TimeGrid
from tests.probgen.diffusion.beds import bed

SCHEDULE = pg.diffusion.cosine_schedule()


class TwoSteps(Denoiser):
    """The prediction with which one DDIM step equals two of an oracle, by composing their linear maps."""

    def __init__(self, oracle, grid):
        super().__init__(oracle.schedule, oracle.event_shape)
        self.oracle, self.grid = oracle, grid

    def predict(self, x_t, level, context=None):
        index = torch.searchsorted(self.grid.times, level.t - 1e-9)
        s = self.grid.times[index - 1]
        a, b = level, self.schedule.level((level.t + s) / 2)
        c = self.schedule.level(s)
        gain = self._gain(a, b) * self._gain(b, c)
        kept = c.sigma / a.sigma
        return ((gain - kept) / (c.alpha - kept * a.alpha)).unsqueeze(-1) * x_t

    def _gain(self, t, s):
        mean = t.alpha * 0.25 / (t.alpha**2 * 0.25 + t.sigma**2)
        return s.alpha * mean + s.sigma * (1 - t.alpha * mean) / t.sigma


def test_the_student_that_makes_two_steps_in_one_has_no_loss():
    _, oracle = bed(0.25, SCHEDULE, 8, dims=2)
    grid = TimeGrid(4)
    student = pg.diffusion.Diffusion(TwoSteps(oracle, grid), SCHEDULE, (2,), grid)
    x = torch.randn(200, 2).double()
    assert student.progressive_distillation_loss(oracle)(x) < 1e-20
    untaught = pg.diffusion.Diffusion(oracle, SCHEDULE, (2,), grid)
    assert untaught.progressive_distillation_loss(oracle)(x) > 1e-3


def test_errors_and_the_frozen_teacher():
    d, oracle = bed(0.25, SCHEDULE, 8)
    with pytest.raises(ValueError, match="`schedule`"):
        ProgressiveDistillationLoss(d, bed(0.25, pg.diffusion.cosine_schedule())[0].denoiser)
    with pytest.raises(ValueError, match="`times`"):
        ProgressiveDistillationLoss(d, oracle, times="continuous")
    with pytest.raises(ValueError, match="at least one datum"):
        ProgressiveDistillationLoss(d, oracle)(torch.zeros(0, 1))
    network = pg.diffusion.Diffusion(pg.nn.DenoisingMLP(1, hidden=(8,)), SCHEDULE, (1,), 4)
    loss = network.progressive_distillation_loss(network.denoiser)
    loss(torch.randn(8, 1)).backward()
    assert all(parameter.grad is None for parameter in loss.teacher.parameters())
