"""PLU: starts, the saved permutation and signs."""

import pytest
import torch

from probgen.distributions.bijectors import LULinear


@pytest.mark.parametrize("features", [1, 2, 7])
def test_starts_at_the_identity_or_a_rotation(features):
    torch.testing.assert_close(LULinear(features).matrix, torch.eye(features))
    rotation = LULinear(features, start="rotation").matrix
    torch.testing.assert_close(rotation @ rotation.mT, torch.eye(features), rtol=0, atol=1e-5)


def test_a_loaded_state_restores_order_and_signs():
    torch.manual_seed(1)
    saved = LULinear(6, start="rotation")
    other = LULinear(6, start="rotation")
    assert not torch.equal(saved.matrix, other.matrix)
    other.load_state_dict(saved.state_dict())
    torch.testing.assert_close(other.matrix, saved.matrix, rtol=0, atol=0)
    y = torch.randn(3, 6)
    torch.testing.assert_close(other.inverse(y), saved.inverse(y), rtol=0, atol=0)


def test_the_generator_decides():
    first, second = (LULinear(5, start="rotation", generator=torch.Generator().manual_seed(3)).matrix for _ in range(2))
    torch.testing.assert_close(first, second, rtol=0, atol=0)


def test_rejects_an_unknown_start():
    with pytest.raises(ValueError, match='`start` must be "identity" or "rotation"; got \'eye\''):
        LULinear(2, start="eye")
