"""Figures show what they are given, and touch no global state of matplotlib."""

import sys

import pytest
import torch

pytest.importorskip("matplotlib")

from probgen.plot import curves, density_2d, history, image_grid
from probgen.plot.figures import empty_figure


def test_image_grid_holds_the_images_in_reading_order():
    images = torch.rand(3, 8, 6)
    figure = image_grid(images, columns=2, titles=["a", "b", "c"])
    shown = torch.as_tensor(figure.axes[0].images[0].get_array().filled(torch.nan))
    assert shown.shape == (17, 13)
    assert torch.allclose(shown[:8, 7:], images[1])
    assert torch.allclose(shown[9:, :6], images[2])
    assert bool(shown[8].isnan().all())
    assert [text.get_text() for text in figure.axes[0].texts] == ["a", "b", "c"]


def test_image_grid_errors():
    with pytest.raises(ValueError, match="height"):
        image_grid(torch.rand(8, 8))
    with pytest.raises(ValueError, match="titles"):
        image_grid(torch.rand(2, 8, 8), titles=["a"])


def test_density_has_x_to_the_right_and_y_up():
    figure = density_2d({"corner": lambda x: -(x - torch.tensor([3.0, -3.0])).square().sum(-1)}, points=41)
    image = figure.axes[0].images[0]
    row, column = divmod(int(image.get_array().argmax()), 41)
    assert image.origin == "lower"
    assert column > 30
    assert row < 10


def test_history_draws_every_curve():
    axes = history({"train": torch.tensor([3.0, 2.0]), "validation": [4.0, 3.0]}).axes[0]
    assert [line.get_label() for line in axes.lines] == ["train", "validation"]
    assert axes.lines[0].get_ydata().tolist() == [3.0, 2.0]


def test_pyplot_is_not_imported_by_the_package():
    import subprocess
    import sys

    code = "import sys, torch, probgen.plot as p; p.image_grid(torch.rand(2, 4, 4)); print('matplotlib.pyplot' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"


def test_curves_have_their_coordinates_and_no_legend_without_labels():
    axes = curves({"": ([0.0, 2.0], torch.tensor([1.0, 0.5]))}, xlabel="rate", ylabel="distortion").axes[0]
    assert axes.lines[0].get_xdata().tolist() == [0.0, 2.0]
    assert axes.lines[0].get_ydata().tolist() == [1.0, 0.5]
    assert axes.get_legend() is None
    assert curves({"a": ([0], [1])}, xlabel="x", ylabel="y").axes[0].get_legend() is not None


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "probgen.plot.notebook_figure", None)
    with pytest.raises(ImportError, match=r"pip install probgen\[plot\]"):
        empty_figure(1.0, 1.0)
