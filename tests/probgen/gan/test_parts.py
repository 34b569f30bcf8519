"""What recipes share: packs, laws with contexts, a conditioning for each player."""

import pytest
import torch

from probgen.gan import GAN, mlp_gan
from probgen.gan.parts import law_of, own_conditioning, packed_shape
from probgen.nn import ClassConditioning


def test_packs_have_more_channels():
    assert packed_shape((1, 8, 8), 1) == (1, 8, 8)
    assert packed_shape([3, 8, 8], 2) == (6, 8, 8)
    with pytest.raises(ValueError, match="`packing`"):
        packed_shape((2,), 0)


def test_events_without_dimensions_make_no_packs():
    assert packed_shape((), 1) == ()
    assert mlp_gan((), 2, hidden=(4,)).law().sample((3,)).shape == (3,)
    with pytest.raises(ValueError, match="`packing` must be 1"):
        packed_shape((), 2)


def test_packs_have_no_single_context():
    with pytest.raises(ValueError, match="`packing` must be 1 with a `conditioning`"):
        mlp_gan((2,), 2, packing=2, conditioning=ClassConditioning(3, features=2))


def test_a_copy_starts_alike_and_learns_alone():
    mine = ClassConditioning(3, features=2)
    copy = own_conditioning(mine)
    assert torch.equal(copy.embedding.weight, mine.embedding.weight)
    with torch.no_grad():
        copy.embedding.weight.zero_()
    assert mine.embedding.weight.abs().sum() > 0
    assert own_conditioning(None) is None


def test_the_law_has_the_context_of_its_conditioning():
    assert law_of(torch.nn.Linear(4, 2), 4, (2,), None).context_shape is None
    law = law_of(torch.nn.Linear(4, 2), 4, (2,), ClassConditioning(3, features=2))
    assert law.context_shape == ()
    assert GAN(law, torch.nn.Linear(2, 1)).law is law
