"""Figures show themselves in notebooks, whether or not pyplot has been used."""

import matplotlib
import torch

from probgen.plot import curves, history, image_grid


def test_a_picture_is_shown_without_pyplot():
    figure = image_grid(torch.rand(3, 8, 8), columns=3)
    png = figure._repr_png_()
    assert png.startswith(b"\x89PNG")
    width = int.from_bytes(png[16:20], "big")
    assert abs(width - figure.get_figwidth() * figure.dpi) <= 1


def test_a_layout_among_the_users_defaults_changes_nothing():
    """Warnings are errors here: matplotlib warns where two layouts meet."""
    draw = [
        lambda: image_grid(torch.zeros(3, 8, 8), columns=3, titles=["a", "b", "c"]),
        lambda: curves({"line": ([0.0, 1.0], [1.0, 2.0])}, xlabel="x", ylabel="y"),
        lambda: history({"line": [1.0, 2.0]}),
    ]
    plain = [make()._repr_png_() for make in draw]
    with matplotlib.rc_context({"figure.constrained_layout.use": True}):
        assert [make()._repr_png_() for make in draw] == plain


def test_titles_have_room():
    figure = image_grid(torch.zeros(3, 8, 8), columns=3, titles=["A", "B", "C"])
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert len(boxes) == 3
    assert all(box.y1 <= figure.bbox.y1 for box in boxes)
