"""Independent: summed log-determinants, aligned contexts."""

import pytest
import torch
from torch import nn
from torch.distributions import transforms

from probgen.distributions.bijectors import Affine, Compose, ConditionalElementwise, Exp, Independent, LowerTriangular


def test_equals_torchs_independent_transform():
    x = torch.randn(4, 2, 3)
    ours, theirs = Independent(Exp(), 2), transforms.IndependentTransform(transforms.ExpTransform(), 2)
    y = ours(x)
    torch.testing.assert_close(y, theirs(x))
    torch.testing.assert_close(ours.forward_log_det_jacobian(x), theirs.log_abs_det_jacobian(x, y))
    assert ours.domain.event_dim == theirs.domain.event_dim == 2


@pytest.mark.parametrize("wrap", [lambda f: Independent(f, 1), lambda f: Compose(f, LowerTriangular(5))])
def test_the_context_meets_the_batch_not_the_event(wrap):
    inner = ConditionalElementwise(Affine(), nn.Linear(2, 2), context_shape=(2,))
    f = wrap(inner)
    x, context = torch.randn(5, 5), torch.randn(5, 2)  # equal lengths: a wrong alignment would not raise
    expected = torch.stack([inner(row, c.expand(5, 2)) for row, c in zip(x, context, strict=True)])
    torch.testing.assert_close(f(x, context), expected)
    torch.testing.assert_close(f.inverse(expected, context), x, rtol=1e-4, atol=1e-5)


def test_rejects_a_negative_number_and_wrong_inner_events():
    with pytest.raises(ValueError, match="`reinterpreted` must be at least 0; got -1"):
        Independent(Exp(), -1)
    with pytest.raises(ValueError, match=r"`x` must have event shape \(2,\)"):
        Independent(LowerTriangular(2), 1)(torch.zeros(4, 3))
