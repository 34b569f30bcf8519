"""Reading random parameters once."""

import pyro.distributions as dist
import torch
from pyro.nn import PyroModule, PyroSample

from probgen.distributions._resolve import resolved
from probgen.distributions.bijectors import Affine, Compose, Exp


def test_a_bijector_without_random_parameters_is_itself():
    f = Compose(Affine(shape=(2,)), Exp())
    assert resolved(f) is f


def test_random_parameters_become_values_and_others_stay_shared():
    inner = PyroModule[Affine](shape=(2,))
    inner.raw_loc = PyroSample(dist.Normal(torch.zeros(2), 1.0).to_event(1))
    last = Affine(shape=(2,))
    plain = resolved(Compose(inner, last))
    x = torch.zeros(2)
    torch.testing.assert_close(plain(x), plain(x))
    assert type(plain.parts[0]) is Affine
    assert plain.parts[0].raw_scale is inner.raw_scale
    assert plain.parts[1] is last
    assert not torch.equal(inner(x), inner(x))
