"""The inverse of a bijector: everything swapped, nothing copied."""

import torch
from torch.distributions import constraints

from probgen.distributions.bijectors import Affine, Compose, Exp, Inverse
from probgen.flows import masked_autoregressive_flow


def test_value_and_log_det_change_places():
    f = Exp()
    log = f.inv
    y = torch.tensor([0.5, 2.0])
    assert torch.equal(log(y), f.inverse(y))
    assert torch.equal(log.forward_log_det_jacobian(y), f.inverse_log_det_jacobian(y))
    assert torch.equal(log.inverse_and_log_det(y)[1], f.forward_and_log_det(y)[1])
    assert log.domain is constraints.positive
    assert log.codomain is constraints.real


def test_the_inverse_of_the_inverse_is_the_map_itself():
    f = Affine(shape=(2,))
    assert f.inv.inv is f
    assert f.inv == f.inv
    assert hash(f.inv) == hash(Inverse(f))
    assert f.inv != f
    assert next(iter(f.inv.parameters())) is next(iter(f.parameters()))


def test_flags_and_context_follow():
    f = masked_autoregressive_flow(features=3, context_shape=(2,), layers=1, hidden=(8,))
    assert f.fast_direction == "inverse"
    assert f.inv.fast_direction == "forward"
    assert f.inv.context_shape == (2,)
    assert f.inv.domain_shape == f.codomain_shape
    x, context = torch.randn(4, 3), torch.randn(4, 2)
    assert torch.equal(f.inv(x, context), f.inverse(x, context))


def test_a_composition_with_an_inverse_can_be_exported():
    """While torch.export traces, reading an attribute asks for the module's hash, which must not read an attribute."""
    bijector = Compose(Affine(0.5, 2.0), Exp(), Affine(1.0, 3.0).inv)
    x = torch.linspace(-1.0, 1.0, 5)
    exported = torch.export.export(bijector, (x,)).module()
    torch.testing.assert_close(exported(x), bijector(x))
