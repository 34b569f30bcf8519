"""What recipes share: how values enter, and the sizes of networks."""

import pytest
import torch

from probgen.autoregressive import Layout, default_embedding, layout_of
from probgen.autoregressive.parts import image_law
from probgen.distributions import OneHotEmbedding, Quantization, ScaledEmbedding
from probgen.distributions.elements import (
    BernoulliElement,
    CategoricalElement,
    DiscretizedLogisticElement,
    DiscretizedLogisticMixtureElement,
    NormalElement,
)
from probgen.nn import PixelSNAIL

BYTES = Quantization(256, 0.0, 255.0)


@pytest.mark.parametrize(
    ("element", "values", "seen"),
    [
        (BernoulliElement(), [0.0, 1.0], [-1.0, 1.0]),
        (DiscretizedLogisticElement(BYTES), [0.0, 127.5, 255.0], [-1.0, 0.0, 1.0]),
        (DiscretizedLogisticMixtureElement(BYTES), [0.0, 255.0], [-1.0, 1.0]),
        (CategoricalElement(Quantization(3, 0.0, 2.0)), [0.0, 1.0, 2.0], [-1.0, 0.0, 1.0]),
        (NormalElement(), [-7.0, 3.0], [-7.0, 3.0]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_bits_and_levels_enter_between_minus_one_and_one(element, values, seen):
    embedding = default_embedding(element)
    assert embedding(torch.tensor(values), torch.float32).flatten().tolist() == seen


def test_codes_enter_as_unit_vectors():
    embedding = default_embedding(CategoricalElement(4))
    assert isinstance(embedding, OneHotEmbedding)
    assert embedding.size == 4


MIXTURE = DiscretizedLogisticMixtureElement(BYTES, channels=3)


@pytest.mark.parametrize(
    ("shape", "element", "grid_dims", "expected"),
    [
        ((8, 9), None, 2, ((8, 9), 1, False, 72)),
        ((1, 8, 9), None, 2, ((8, 9), 1, False, 72)),
        ((3, 8, 9), None, 2, ((8, 9), 3, True, 216)),
        ((3, 8, 9), MIXTURE, 2, ((8, 9), 3, False, 72)),
        ((1, 8, 9), CategoricalElement(5), 2, ((8, 9), 5, False, 72)),
        ((7,), CategoricalElement(5), 1, ((7,), 5, False, 7)),
        ((3, 8, 9), None, None, ((3, 8, 9), 1, False, 216)),
        ((3, 8, 9), MIXTURE, None, ((8, 9), 3, False, 72)),
    ],
)
def test_sizes_follow_from_event_and_element(shape, element, grid_dims, expected):
    layout = layout_of(shape, element, None, grid_dims)
    assert isinstance(layout, Layout)
    assert (layout.grid, layout.channels, layout.ordered, layout.features) == expected


def test_an_embedding_that_is_given_is_taken():
    mine = ScaledEmbedding(1.0, 2.0)
    assert layout_of((4,), NormalElement(), mine).embedding is mine


@pytest.mark.parametrize(("shape", "grid_dims"), [((8,), 2), ((2, 3, 8, 8), 2), ((3, 4, 5), 1)])
def test_events_of_other_dimensions_are_refused(shape, grid_dims):
    with pytest.raises(ValueError, match="`event_shape` must be"):
        layout_of(shape, None, None, grid_dims)


def test_pixels_of_scalar_colors_are_not_whole():
    sizes = {"filters": 4, "stages": 1, "blocks": 1}
    assert image_law(PixelSNAIL, (3, 4, 4), MIXTURE, None, **sizes).network.channels == 3
    with pytest.raises(ValueError, match="all 3 colors"):
        image_law(PixelSNAIL, (3, 4, 4), None, None, **sizes)


def test_colors_of_their_own_enter_as_numbers():
    codes = CategoricalElement(5)
    with pytest.raises(ValueError, match=r"`embedding` must give one number .* OneHotEmbedding gives 5"):
        layout_of((3, 4, 4), codes, None, grid_dims=2)
    assert layout_of((3, 4, 4), codes, ScaledEmbedding(2.0, 2.0), grid_dims=2).features == 48
    assert layout_of((3, 4, 4), CategoricalElement(Quantization(5, 0.0, 4.0)), None, grid_dims=2).features == 48
    assert layout_of((1, 4, 4), codes, None, grid_dims=2).channels == 5
