"""Rows with names: where images stand, and what is refused."""

import pytest
import torch

pytest.importorskip("matplotlib")

from probgen.plot import image_rows


def test_images_stand_in_their_rows_with_names_beside_them():
    a, b = torch.rand(3, 2, 4), torch.rand(2, 2, 4)
    figure = image_rows({"first": a, "second row": b})
    axes = figure.axes[0]
    shown = torch.as_tensor(axes.images[0].get_array().filled(-1.0))
    assert shown.shape == (5, 14)
    assert torch.equal(shown[3:5, 5:9], b[1])
    assert bool((shown[3:, 10:] == -1).all())  # the shorter row ends
    assert [label.get_text() for label in axes.get_yticklabels()] == ["first", "second row"]
    assert axes.images[0].get_clim() == (0.0, 1.0)


@pytest.mark.parametrize("rows", [{}, {"a": torch.rand(2, 3, 3), "b": torch.rand(2, 4, 4)}, {"a": torch.rand(2, 1, 3, 3)}])
def test_sizes_must_agree(rows):
    with pytest.raises(ValueError, match="of one size"):
        image_rows(rows)
