"""The pictures of a certificate show its booleans."""

import pytest
import torch

pytest.importorskip("matplotlib")

from probgen.distributions.testing import CausalityReport, check_causality, raster_order
from probgen.plot import causality


def shown(axes):
    return torch.as_tensor(axes.images[0].get_array().tolist())


def report_of(depends, grid=(2, 2)):
    rank = torch.arange(len(depends))
    return CausalityReport("a network", grid, rank, torch.tensor(depends).bool(), ("jacobian",), 2, 1)


FOUR = report_of([[0, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, 1], [1, 1, 1, 0]])


def test_a_pixel_shows_what_it_sees():
    figure = causality(FOUR, position=(1, 0))
    assert shown(figure.axes[0]).tolist() == [[2, 1], [0, 3]]
    assert figure.axes[0].get_title() == "(1, 0) sees 1 of 2, leaks: 1"
    assert figure.axes[0].lines[0].get_xydata().tolist() == [[0, 1]]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["later", "blind", "reached", "leak"]


def test_the_matrix_stands_in_the_order_of_the_network():
    assert shown(causality(FOUR).axes[0]).tolist() == [[0, 0, 0, 0], [1, 0, 0, 0], [2, 1, 0, 3], [2, 2, 2, 0]]
    backwards = CausalityReport(
        "a network", (3,), torch.tensor([2, 1, 0]), torch.ones(3, 3).triu(1).bool(), ("jacobian",), 2, 1
    )
    figure = causality(backwards)
    assert shown(figure.axes[0]).tolist() == [[0, 0, 0], [2, 0, 0], [2, 2, 0]]
    assert figure.axes[0].get_title() == "3 of 3 reached, leaks: 0"


def test_sequences_are_one_row_and_colors_are_panels():
    chain = report_of([[0, 0, 0], [1, 0, 0], [0, 1, 0]], (3,))
    figure = causality(chain, position=2)
    assert shown(figure.axes[0]).tolist() == [[1, 2, 0]]
    assert figure.axes[0].get_title() == "2 sees 1 of 2"
    pixels = check_causality(lambda x: x.cumsum(1) - x, (3, 2, 2), order=raster_order((3, 2, 2)))
    figure = causality(pixels, position=(2, 0, 1))
    assert [axes.get_title() for axes in figure.axes] == ["red", "green", "blue"]
    assert [shown(axes).tolist() for axes in figure.axes] == [[[1, 2], [0, 0]], [[1, 2], [0, 0]], [[1, 0], [0, 0]]]
    assert [len(axes.lines) for axes in figure.axes] == [0, 0, 1]
    figure.canvas.draw()


def test_positions_that_do_not_exist_are_refused():
    with pytest.raises(ValueError, match="`position` must be an index"):
        causality(FOUR, position=(2, 2))
