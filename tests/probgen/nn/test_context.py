"""What networks on vectors take as a context."""

import pytest
import torch

from probgen.distributions._checks import ContextError
from probgen.nn._context import declared_context_shape, flat_context


def test_widths_and_shapes():
    assert [declared_context_shape(given) for given in (0, 3, (), (2, 4))] == [None, (3,), (), (2, 4)]


def test_a_context_becomes_rows():
    context = torch.arange(24.0).reshape(3, 2, 4)
    assert torch.equal(flat_context("it", context, (2, 4), (5, 3)), context.reshape(3, 8))
    assert flat_context("it", torch.tensor(7.0), (), ()).shape == (1,)
    assert flat_context("it", None, None, (5,)) is None
    with pytest.raises(ContextError, match="it needs a context"):
        flat_context("it", None, (2,), (5,))
