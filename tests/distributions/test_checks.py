"""Argument checks name the argument, what was expected and what came, and never read a tensor where that is forbidden."""

import pytest
import torch
from torch.distributions import constraints
from torch.fx.experimental.proxy_tensor import make_fx

from probgen.distributions._checks import (
    ContextError,
    require_broadcastable,
    require_context,
    require_event_shape,
    require_values,
    value_checks_active,
)
from probgen.distributions.bijectors import Exp
from probgen.distributions.testing import validation


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ([1.0], TypeError, "`x` must be a torch.Tensor; got list"),
        (torch.ones(3, dtype=torch.long), TypeError, "`x` must have a floating-point dtype; got torch.int64"),
        (torch.ones(3), ValueError, r"`x` needs at least 2 event dimension\(s\); got shape \(3,\)"),
        (torch.ones(5, 2, 4), ValueError, r"`x` must have event shape \(2, 3\); got shape \(5, 2, 4\)"),
    ],
)
def test_event_shape_errors(value, error, message):
    with pytest.raises(error, match=message):
        require_event_shape("x", value, 2, (2, 3))


def test_event_shape_passes_any_batch():
    for batch in ((), (0,), (4, 1)):
        require_event_shape("x", torch.ones(*batch, 2, 3), 2, (2, 3))


def test_broadcast_error_names_both():
    require_broadcastable("x", (4, 1), "base", (3,))
    with pytest.raises(ValueError, match=r"\(4,\) of `x` does not broadcast with \(3,\) of `base`"):
        require_broadcastable("x", (4,), "base", (3,))


@pytest.mark.parametrize(
    ("context", "shape", "message"),
    [
        (torch.ones(2), None, "Owner takes no context; got one of shape"),
        (None, (2,), r"Owner needs a context with trailing shape \(2,\); got None"),
        (torch.ones(5, 3), (2,), r"trailing shape \(2,\); got shape \(5, 3\)"),
        (torch.ones(3), (3, 3), r"trailing shape \(3, 3\); got shape \(3,\)"),
        (torch.ones(4, 2), (2,), r"batch shape \(4,\) of the context of Owner does not broadcast .* \(5,\)"),
    ],
)
def test_context_errors(context, shape, message):
    with pytest.raises(ContextError, match=message):
        require_context("Owner", context, shape, (5,))


def test_context_batch_broadcasts():
    require_context("Owner", torch.ones(2), (2,), (5,))
    require_context("Owner", torch.ones(3, 1, 2), (2,), (5,))


def test_values_are_counted_and_nan_is_named():
    with validation(enabled=True):
        with pytest.raises(ValueError, match=r"`y` of Exp must satisfy .*; 2 of 3 element\(s\) do not\.$"):
            require_values("y", torch.tensor([-1.0, 1.0, 0.0]), constraints.positive, "Exp")
        with pytest.raises(ValueError, match=r"1 of 2 element\(s\) do not \(NaN\)"):
            require_values("y", torch.tensor([torch.nan, 1.0]), constraints.positive, "Exp")
    with validation(enabled=False):
        require_values("y", torch.tensor([-1.0]), constraints.positive, "Exp")


def test_values_are_not_read_inside_transforms_or_graphs():
    seen = []

    def look(x):
        seen.append(value_checks_active(x))
        return x * 2

    with validation(enabled=True):
        torch.func.vmap(look)(torch.ones(3))
        torch.func.grad(lambda x: look(x).sum())(torch.ones(3))
        make_fx(look)(torch.ones(3))
        look(torch.ones(3, device="meta"))
        assert seen == [False] * 4
        assert value_checks_active(torch.ones(3))
    with validation(enabled=False):
        assert not value_checks_active(torch.ones(3))


def test_a_bad_value_raises_eagerly_and_passes_under_vmap():
    with validation(enabled=True):
        with pytest.raises(ValueError, match="`y` of Exp must satisfy"):
            Exp().inverse(torch.tensor([-1.0]))
        assert torch.func.vmap(Exp().inverse)(torch.tensor([-1.0])).isnan().all()


def test_a_context_must_be_a_tensor():
    with pytest.raises(TypeError, match=r"the context of Flow must be a torch\.Tensor; got list"):
        require_context("Flow", [1.0], (1,), ())
