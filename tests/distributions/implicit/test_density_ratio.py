"""A log-ratio read off a critic."""

import copy
import pickle

import pytest
import torch

from probgen.distributions._checks import ContextError
from probgen.distributions.implicit import DensityRatio
from tests.distributions.implicit.normal_pair import true_ratio


def half(v):
    return v / 2


def test_any_batch_and_any_event():
    ratio = DensityRatio(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 1)), (3, 2, 2))
    for batch in ((), (5,), (4, 5), (0,)):
        assert ratio(torch.zeros(*batch, 3, 2, 2)).shape == batch
        assert ratio.probability(torch.zeros(*batch, 3, 2, 2)).shape == batch
    x = torch.randn(4, 3, 2, 2)
    torch.testing.assert_close(ratio(x), ratio.critic(x).squeeze(-1))


def test_link_slope_and_offset():
    ratio = DensityRatio(true_ratio, (), link=half, slope=3.0, offset=-1.0)
    torch.testing.assert_close(ratio(torch.tensor([0.0, 1.0])), torch.tensor([-0.25, -1.75]))
    torch.testing.assert_close(ratio.outputs(torch.tensor([0.0, 1.0])), torch.tensor([0.5, -0.5]))
    assert repr(ratio) == "DensityRatio(event_shape=(), slope=3, offset=-1)"


def test_contexts():
    bilinear = torch.nn.Bilinear(2, 3, 1)
    ratio, x, c = DensityRatio(bilinear, (2,), context_shape=(3,)), torch.randn(5, 4, 2), torch.randn(4, 3)
    torch.testing.assert_close(ratio(x, c)[2], bilinear(x[2], c).squeeze(-1))
    with pytest.raises(ContextError, match="needs a context"):
        ratio(x)
    with pytest.raises(ContextError, match="takes no context"):
        DensityRatio(bilinear, (2,))(x, c)


def test_copies_and_dtype():
    ratio = DensityRatio(torch.nn.Linear(2, 1), (2,), link=half, slope=2.0)
    x = torch.randn(3, 2)
    for twin in (copy.deepcopy(ratio), pickle.loads(pickle.dumps(ratio))):
        assert torch.equal(twin(x), ratio(x))
    other = DensityRatio(torch.nn.Linear(2, 1), (2,), link=half)
    other.load_state_dict(ratio.state_dict())
    assert torch.equal(other(x), ratio(x))
    assert ratio.double()(x.double()).dtype == torch.float64
    torch.testing.assert_close(torch.func.vmap(other)(x), other(x))


def test_one_output_for_each_event():
    with pytest.raises(ValueError, match=r"one output for each of 4 events; it gave shape \(4, 3\)"):
        DensityRatio(torch.nn.Linear(2, 3), (2,))(torch.zeros(4, 2))
    with pytest.raises(ValueError, match=r"`x` must end with \(2,\)"):
        DensityRatio(torch.nn.Linear(2, 1), (2,))(torch.zeros(4, 3))
