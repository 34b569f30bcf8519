"""Text as a context."""

import pytest
import torch

from probgen.nn import TextConditioning
from tests.probgen.nn.networks import awake


def encoder(**settings):
    return awake(TextConditioning(vocabulary=12, length=5, width=16, layers=2, heads=4, **settings))


def test_padding_is_not_seen():
    """What stands at a padded place, its position included, changes nothing that may be attended to."""
    conditioning = encoder()
    context = torch.tensor([[3, 7, 0, 0, 0]])
    before = conditioning(context)
    with torch.no_grad():
        conditioning.tokens.weight[0] += torch.randn(16)
        conditioning.positions[2:] -= torch.randn(16)
    after = conditioning(context)
    assert before.mask.tolist() == [[True, True, True, False, False, False]]
    torch.testing.assert_close(after.sequence[:, :3], before.sequence[:, :3])
    torch.testing.assert_close(after.vector, before.vector)
    assert (after.sequence[:, 3:] - before.sequence[:, 3:]).abs().max() > 0.1


def test_words_and_their_order_are_seen():
    conditioning = encoder()
    one, two, three = conditioning(torch.tensor([[3, 7, 0, 0, 0], [7, 3, 0, 0, 0], [3, 8, 0, 0, 0]])).vector
    assert (one - two).abs().max() > 1e-2
    assert (one - three).abs().max() > 1e-2


def test_no_text_still_gives_something_to_look_at():
    conditions = encoder()(torch.zeros(2, 5, dtype=torch.int64))
    assert conditions.mask.sum(1).tolist() == [1, 1]
    assert conditions.sequence.isfinite().all()


def test_another_padding():
    conditioning = encoder(padding=11)
    assert conditioning.null_context.tolist() == [11] * 5
    assert conditioning(torch.tensor([[0, 1, 11, 11, 11]])).mask.int().tolist() == [[1, 1, 1, 0, 0, 0]]


def test_wrong_tokens_and_sizes_are_named():
    with pytest.raises(ValueError, match=r"token ids of TextConditioning must lie in 0, \.\.\., 11; got values from 0 to 12"):
        encoder()(torch.tensor([[0, 12, 0, 0, 0]]))
    with pytest.raises(ValueError, match=r"`padding` must lie in 0, \.\.\., 11; got 12"):
        encoder(padding=12)
    with pytest.raises(ValueError, match="must be positive"):
        TextConditioning(0, 5)
    with pytest.raises(ValueError, match="`heads` must divide"):
        TextConditioning(12, 5, width=6, heads=4)
