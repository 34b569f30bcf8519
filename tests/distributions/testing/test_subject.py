"""Subjects make valid inputs in the dtype and regime they stand for."""

import torch
from torch.distributions import SigmoidTransform

from probgen.distributions.bijectors import Affine, Compose, Exp, Lift
from probgen.distributions.testing import REGIMES, BijectorSubject, Draw, special_values


def test_batch_of_the_parameters_belongs_to_every_point():
    subject = BijectorSubject(lambda: Compose(Affine(shape=(3,)), Exp()), dtype=torch.float32)
    assert subject.batch == (3,)
    assert subject.points(Draw(count=5)).shape == (5, 3)
    assert (subject.outputs(Draw(count=5)) > 0).all()
    assert subject.points(Draw()).dtype == torch.float32


def test_seed_regime_and_twin():
    subject = BijectorSubject(lambda: Affine(shape=(2,)), dtype=torch.float32, regime=REGIMES["strong"])
    assert not torch.equal(subject.build(0).raw_loc, subject.build(1).raw_loc)
    assert subject.double.raw_loc.dtype == torch.float64
    assert isinstance(BijectorSubject(SigmoidTransform).bijector, Lift)


def test_special_values_are_finite():
    values = special_values(Exp(), torch.float32)
    assert 0.0 in values
    assert all(abs(value) < float("inf") for value in values)
