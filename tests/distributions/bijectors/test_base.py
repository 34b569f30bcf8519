"""The bijector contract: what the base class derives from the two hooks."""

import copy

import pyro.distributions as dist
import pytest
import torch
from torch import nn
from torch.distributions import constraints

from probgen.distributions.bijectors import Affine, Bijector, Compose, Exp, Lift
from probgen.distributions.testing import validation


class Doubled(Bijector):
    """y = 2 x, counting how often each hook runs."""

    domain = codomain = constraints.real_vector
    domain_shape = (2,)
    sign = 1

    def __init__(self):
        super().__init__()
        self.calls = []

    def _forward_and_log_det(self, x, context=None):
        self.calls.append("forward")
        return 2 * x, x.new_full(x.shape[:-1], 2 * torch.log(torch.tensor(2.0)).item())

    def _inverse_and_log_det(self, y, context=None):
        self.calls.append("inverse")
        return y / 2, y.new_full(y.shape[:-1], -2 * torch.log(torch.tensor(2.0)).item())


def test_each_public_method_costs_one_pass_of_the_right_hook():
    f, x = Doubled(), torch.ones(3, 2)
    f(x), f.forward(x), f.forward_and_log_det(x), f.forward_log_det_jacobian(x)
    assert f.calls == ["forward"] * 4
    f.calls.clear()
    f.inverse(x), f.inverse_and_log_det(x), f.inverse_log_det_jacobian(x)
    assert f.calls == ["inverse"] * 3


@pytest.mark.parametrize(("direction", "hook"), [("both", "forward"), ("forward", "forward"), ("inverse", "inverse")])
def test_log_abs_det_jacobian_starts_where_it_is_cheap(direction, hook):
    f = Doubled()
    f.fast_direction = direction
    x = torch.ones(3, 2)
    assert torch.equal(f.log_abs_det_jacobian(x, 2 * x), torch.full((3,), 4.0).log())
    assert f.calls == [hook]


def test_shapes_are_mapped_and_checked():
    f = Doubled()
    assert f.forward_shape((5, 2)) == (5, 2)
    with pytest.raises(ValueError, match=r"must end with the event shape \(2,\); got \(5, 3\)"):
        f.forward_shape((5, 3))
    with pytest.raises(ValueError, match=r"at least 1 event dimension\(s\); got \(\)"):
        f.inverse_shape(())
    with pytest.raises(ValueError, match=r"`x` must have event shape \(2,\); got shape \(5, 3\)"):
        f(torch.ones(5, 3))


def test_unwritten_hooks_say_which():
    class Empty(Bijector):
        domain = codomain = constraints.real

    with pytest.raises(NotImplementedError, match="Empty does not define `_forward_and_log_det`"):
        Empty()(torch.ones(2))
    with pytest.raises(NotImplementedError, match="Empty does not define `_inverse_and_log_det`"):
        Empty().inverse(torch.ones(2))
    with pytest.raises(NotImplementedError, match="Empty has no sign"):
        _ = Empty().sign


def test_an_inverse_that_did_not_converge_is_an_error_while_validating():
    class Lost(Bijector):
        domain = codomain = constraints.real
        exact_inverse = False

        def _inverse_and_log_det(self, y, context=None):
            return torch.where(y > 0, torch.nan, y), torch.zeros_like(y)

    y = torch.tensor([-1.0, 1.0, 2.0])
    with (
        validation(enabled=True),
        pytest.raises(ArithmeticError, match=r"inverse of Lost did not converge for 2 of 3"),
    ):
        Lost().inverse(y)
    with validation(enabled=False):
        assert Lost().inverse(y).isnan().tolist() == [False, True, True]


def test_a_bijector_is_a_module_with_hooks_and_a_torch_transform():
    f = Affine(shape=(2,))
    seen = []
    handle = f.register_forward_hook(lambda *_: seen.append("hook"))
    f(torch.ones(2))
    handle.remove()
    assert seen == ["hook"]
    assert isinstance(f, nn.Module)
    assert isinstance(f, torch.distributions.Transform)
    assert f.with_cache(1) is f
    assert f == f
    assert f != Affine(shape=(2,))
    assert len({f, f}) == 1


@pytest.mark.parametrize("package", [torch.distributions, dist])
def test_it_drops_into_torchs_and_pyros_transformed_distributions(package):
    law = package.TransformedDistribution(package.Normal(torch.zeros(3), torch.ones(3)), [Affine(1.0, 2.0), Exp()])
    y = law.rsample((7,))
    expected = torch.distributions.LogNormal(1.0, 2.0).log_prob(y)
    assert torch.allclose(law.log_prob(y), expected, atol=1e-5)


def test_shift_operator_composes_left_to_right_also_with_torchs_transforms():
    f = Affine(1.0, 2.0) >> torch.distributions.transforms.ExpTransform()
    assert isinstance(f, Compose)
    assert isinstance(f[1], Lift)
    assert torch.allclose(f(torch.tensor(0.0)), torch.tensor(1.0).exp())


def test_a_copy_of_a_bijector_that_holds_a_computed_value_has_the_value_without_its_history():
    loc = torch.nn.Linear(1, 2)(torch.ones(1))
    shared = Affine(loc, 2.0)
    f = Compose(shared, shared)
    twin = copy.deepcopy(f)
    assert torch.equal(twin(torch.zeros(2)), f(torch.zeros(2)))
    assert twin[0] is twin[1]
    assert twin[0].loc.grad_fn is None
    assert shared.loc is loc
