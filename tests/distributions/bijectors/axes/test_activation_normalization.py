"""ActNorm: the start from data, explicit, saved with the parameters."""

import copy

import pytest
import torch

from probgen.distributions.bijectors import ActNorm, Affine, Along, Compose, Exp, FactorOut, LULinear, Reshape, Squeeze, Stack


def test_data_are_standardized_after_the_start():
    torch.manual_seed(0)
    y = torch.randn(64, 3, 4, 5) * torch.tensor([0.1, 3.0, 50.0])[:, None, None] + torch.tensor([5.0, -2.0, 0.0])[:, None, None]
    f = ActNorm((3, 1, 1))
    f.initialize_from(y)
    z = f.inverse(y)
    torch.testing.assert_close(z.mean((0, 2, 3)), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(z.std((0, 2, 3), correction=0), torch.ones(3), atol=1e-4, rtol=0)


def test_the_start_survives_saving():
    """Peers kept a flag outside the state and started a loaded layer again (nflows PR 5, normflows PR 2)."""
    f, fresh = ActNorm((2, 1)), ActNorm((2, 1))
    f.initialize_from(3.0 + torch.randn(20, 2, 7))
    fresh.load_state_dict(f.state_dict())
    x = torch.randn(4, 2, 7)
    assert torch.equal(fresh(x), f(x))
    assert torch.equal(copy.deepcopy(f).train()(x), f(x))


def test_a_constant_channel_keeps_its_scale():
    f = ActNorm((2, 1, 1))
    f.initialize_from(torch.full((4, 2, 3, 3), 7.0))
    assert torch.equal(f.inverse(torch.full((2, 3, 3), 7.0)), torch.zeros(2, 3, 3))
    assert torch.equal(f.log_scale, torch.zeros(2, 1, 1))


def test_a_flow_starts_all_of_its_layers():
    torch.manual_seed(1)
    coarse = Compose(Reshape((4,), (1, 2, 2)), ActNorm((1, 1, 1)))
    flow = Compose(
        FactorOut(coarse, (3, 2, 2)), ActNorm((4, 1, 1)), Along(LULinear(4, start="rotation"), -3), Squeeze((2, 2)).inv
    )
    data = 5.0 + 3.0 * torch.randn(256, 1, 4, 4)
    flow.initialize_from(data)
    z = flow.inverse(data)
    assert flow.domain_shape == (16,)
    assert flow.codomain_shape == (1, 4, 4)
    assert z.mean().abs() < 0.05
    assert (z.std(0) - 1).abs().max() < 0.35


def test_what_cannot_be_started_says_so():
    with pytest.raises(NotImplementedError, match=r"parts \['ActNorm'\]"):
        ActNorm((2, 1)).inv.initialize_from(torch.zeros(3, 2, 4))
    with pytest.raises(NotImplementedError, match="Stack cannot start"):
        Stack(ActNorm((2,)), ActNorm((2,)), dim=-2).initialize_from(torch.zeros(3, 2, 2))
    Compose(Exp(), Affine()).initialize_from(torch.ones(3))  # nothing to start, nothing to say
    for bad in (torch.full((2, 2, 3), torch.nan), torch.zeros(0, 2, 3)):
        with pytest.raises(ValueError, match=r"finite|satisfy"):
            ActNorm((2, 1)).initialize_from(bad)


def test_refuses_other_channels():
    with pytest.raises(ValueError, match="broadcast from"):
        ActNorm((3, 1, 1))(torch.zeros(2, 4, 4))
    with pytest.raises(ValueError, match="at least one axis"):
        ActNorm(())


def test_channels_that_share_one_number_count_as_positions():
    f = ActNorm((1, 1))
    torch.nn.init.constant_(f.raw_scale, 0.7)
    x = torch.randn(4, 2, 3, generator=torch.Generator().manual_seed(0))
    jacobian = torch.func.jacrev(lambda row: f(row.reshape(2, 3)).flatten())(x[0].flatten())
    torch.testing.assert_close(f.forward_log_det_jacobian(x), torch.linalg.slogdet(jacobian)[1].expand(4))


def test_refuses_negative_sizes():
    with pytest.raises(ValueError, match=r"`shape` must have at least one axis, and no size be negative; got \(-1, 1\)"):
        ActNorm((-1, 1))
