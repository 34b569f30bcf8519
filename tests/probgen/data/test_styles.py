"""Other kinds of the same images: what is kept, what is inverted, what range they have."""

import pytest
import torch

from probgen.data import bold, colored, edges, gradient_magnitude, load_digits, negative, rotated, unpaired


@pytest.fixture
def digits():
    return load_digits().train.x[:20].float().unsqueeze(1) / 8 - 1


def test_edges_are_binary_and_those_of_the_negative(digits):
    found = edges(digits)
    assert found.shape == digits.shape
    assert set(found.unique().tolist()) == {-1.0, 1.0}
    assert torch.equal(found, edges(negative(digits)))
    assert not edges(torch.zeros(1, 1, 6, 6)).gt(0).any()


def test_gradient_of_a_plane_is_its_slope():
    rows, columns = torch.meshgrid(torch.arange(7.0), torch.arange(7.0), indexing="ij")
    plane = (0.03 * rows + 0.04 * columns).expand(2, 3, 7, 7)
    torch.testing.assert_close(gradient_magnitude(plane)[..., 1:-1, 1:-1], torch.full((2, 3, 5, 5), 0.05 / 2))


def test_edges_of_colors_are_those_of_any_channel(digits):
    red = colored(digits, ink=(1.0, -1.0, -1.0), paper=(-1.0, -1.0, -1.0))
    assert torch.equal(edges(red), edges(digits))


def test_turns_and_negatives_are_undone(digits):
    assert torch.equal(rotated(rotated(digits, 3)), digits)
    assert torch.equal(negative(negative(digits)), digits)


def test_bold_is_the_largest_of_nine(digits):
    windows = torch.nn.functional.pad(digits, (1, 1, 1, 1), value=-torch.inf).unfold(2, 3, 1).unfold(3, 3, 1)
    assert torch.equal(bold(digits), windows.amax((-2, -1)))


def test_colors_mix(digits):
    inks = torch.rand(20, 3) * 2 - 1
    found = colored(digits, inks, (0.0, 0.0, 0.0))
    torch.testing.assert_close(found, (digits + 1) / 2 * inks[:, :, None, None])
    assert found.abs().max() <= 1
    with pytest.raises(ValueError, match="gray"):
        colored(found, inks, inks)


def test_halves_share_nothing_and_are_reproducible():
    a, b = unpaired(torch.arange(11), seed=3)
    assert len(a) == len(b) == 5
    assert not set(a.tolist()) & set(b.tolist())
    assert torch.equal(unpaired(torch.arange(11), seed=3)[1], b)
    assert not torch.equal(unpaired(torch.arange(11))[0], a)
