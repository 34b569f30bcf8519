"""Foreign transforms: containers become ours, nested state moves and copies."""

import copy
import pickle

import pyro.distributions.transforms as pyro_transforms
import pytest
import torch
from torch.distributions import Normal, biject_to, constraints, transforms

from probgen.distributions.bijectors import Compose, Concat, Exp, Independent, Inverse, Lift, Stack, as_bijector


def test_torchs_containers_become_ours():
    exp = transforms.ExpTransform()
    assert isinstance(as_bijector(transforms.ComposeTransform([exp, exp])), Compose)
    assert isinstance(as_bijector(transforms.IndependentTransform(exp, 1)), Independent)
    assert isinstance(as_bijector(transforms.StackTransform([exp, exp], dim=-1)), Stack)
    assert isinstance(as_bijector(transforms.CatTransform([biject_to(constraints.simplex)], -1, [2])), Concat)
    assert isinstance(as_bijector(exp.inv), Inverse)
    assert isinstance(as_bijector(exp), Lift)
    ours = Exp()
    assert as_bijector(ours) is ours


def test_nested_containers_agree_with_torch():
    chain = transforms.ComposeTransform(
        [
            transforms.IndependentTransform(transforms.AffineTransform(1.0, torch.tensor([2.0, -3.0])), 1),
            transforms.ExpTransform().inv.inv,
        ]
    )
    f, x = as_bijector(chain), torch.randn(5, 2)
    y, log_det = f.forward_and_log_det(x)
    torch.testing.assert_close(y, chain(x))
    torch.testing.assert_close(log_det, chain.log_abs_det_jacobian(x, y))


def test_stack_sums_its_log_determinant_where_torch_does_not():
    stack = transforms.StackTransform([transforms.ExpTransform(), transforms.AffineTransform(0.0, 2.0)], dim=-1)
    assert as_bijector(stack).forward_log_det_jacobian(torch.ones(3, 2)).shape == (3,)


def _nested():
    inner = transforms.AffineTransform(torch.tensor([1.0, 2.0]), 2.0, cache_size=1)
    return transforms.ComposeTransform([inner, transforms.CumulativeDistributionTransform(Normal(torch.zeros(2), 1.0))])


def test_nested_tensors_move_and_leave_the_original_alone():
    transform = _nested()
    f = Lift(transform).double()
    assert f(torch.zeros(2, dtype=torch.float64)).dtype == torch.float64
    assert transform.parts[0].loc.dtype == transform.parts[1].distribution.loc.dtype == torch.float32
    assert transform.parts[0]._cache_size == 1


def test_copies_and_pickles_after_use():
    f = Lift(_nested())
    x = torch.randn(3, 2)
    y = f(x)
    f.inverse(y)
    for twin in (copy.deepcopy(f), pickle.loads(pickle.dumps(f))):
        assert torch.equal(twin(x), y)
        assert twin.transform.parts[0].loc is not f.transform.parts[0].loc


def test_copies_a_pyro_module_after_use_and_values_with_a_history():
    f = Lift(pyro_transforms.spline_coupling(4))
    x = torch.randn(3, 4)
    y, _ = f.forward_and_log_det(x)
    torch.testing.assert_close(copy.deepcopy(f)(x), y)
    scale = torch.ones(2, requires_grad=True).exp()
    g = Lift(transforms.AffineTransform(0.0, scale))
    torch.testing.assert_close(copy.deepcopy(g)(torch.ones(2)), scale.detach())
    assert g(torch.ones(2)).requires_grad


def test_a_cached_answer_of_a_pyro_module_is_never_given():
    f = Lift(pyro_transforms.spline_coupling(4))
    x = torch.randn(3, 4)
    y, log_det = f.forward_and_log_det(x)
    back = f.inverse(y.detach())
    with torch.no_grad():
        for parameter in f.parameters():
            parameter.add_(0.5)
    assert not torch.allclose(f(x), y)
    assert not torch.allclose(f.forward_log_det_jacobian(x), log_det)
    assert not torch.allclose(f.inverse(y.detach()), back)


def test_rejects_what_is_not_bijective():
    with pytest.raises(ValueError, match="`transform` must be bijective; AbsTransform is not"):
        Lift(transforms.AbsTransform())


def test_what_is_no_transform_is_named():
    with pytest.raises(TypeError, match="must be a bijector or a torch Transform; got Linear"):
        as_bijector(torch.nn.Linear(1, 1))
