"""Figures show themselves in notebooks, whether or not pyplot has been used."""

import torch

from probgen.plot import image_grid


def test_a_picture_is_shown_without_pyplot():
    figure = image_grid(torch.rand(3, 8, 8), columns=3)
    png = figure._repr_png_()
    assert png.startswith(b"\x89PNG")
    width = int.from_bytes(png[16:20], "big")
    assert abs(width - figure.get_figwidth() * figure.dpi) <= 1
