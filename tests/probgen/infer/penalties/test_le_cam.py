"""The LeCam penalty: distances to the other side's moving mean."""

import pytest
import torch

from probgen.infer import LeCamPenalty


def same(x):
    return x


def test_moving_means_follow_and_the_terms_use_the_other_side_s():
    penalty = LeCamPenalty(1.0, decay=0.5)
    real, fake = torch.tensor([2.0, 4.0]), torch.tensor([-2.0, -4.0])
    value = penalty(same, real, fake)
    assert penalty.of_real == 1.5
    assert penalty.of_fake == -1.5
    terms = (real + 1.5).square() + (fake - 1.5).square()
    torch.testing.assert_close(value, terms.mean())


def test_evaluation_leaves_the_means():
    penalty = LeCamPenalty(1.0).eval()
    penalty(same, torch.ones(3), torch.ones(3))
    assert penalty.of_real == penalty.of_fake == 0


def test_a_later_step_does_not_spoil_an_earlier_loss():
    penalty, weight = LeCamPenalty(1.0), torch.ones((), requires_grad=True)
    first = penalty(lambda x: weight * x, torch.ones(3), torch.ones(3))
    penalty(lambda x: weight * x, torch.ones(3), torch.ones(3))
    first.backward()
    assert weight.grad.isfinite()


def test_empty_batches_leave_the_means():
    penalty = LeCamPenalty(1.0)
    penalty(same, torch.zeros(0), torch.zeros(0))
    assert penalty.of_real == 0


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="`decay` must be in"):
        LeCamPenalty(decay=1.0)
    with pytest.raises(ValueError, match="as many draws as data"):
        LeCamPenalty()(same, torch.zeros(2), torch.zeros(3))
