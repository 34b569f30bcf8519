"""Contexts: labels, numbers and images."""

import math

import pytest
import torch
from torch.distributions import Distribution

from probgen.nn import (
    ClassConditioning,
    Conditioning,
    Conditions,
    ImageConditioning,
    TextConditioning,
    UNet,
    VectorConditioning,
)
from probgen.nn.conditioning import require_indices
from tests.probgen.nn.networks import awake

ALL = {
    "class": lambda: ClassConditioning(5),
    "vector": lambda: VectorConditioning(3),
    "image": lambda: ImageConditioning(2, 4, 4),
    "text": lambda: TextConditioning(9, 4, width=8, heads=2),
}
each = pytest.mark.parametrize("name", ALL)


def test_each_class_has_its_vector_and_none_has_one_too():
    conditioning = ClassConditioning(3, features=4)
    vector = conditioning(torch.tensor([2, 0, 3])).vector
    assert torch.equal(vector, conditioning.embedding.weight[[2, 0, 3]])
    assert conditioning.null_context == 3


def test_unknown_numbers_are_marked():
    vector = VectorConditioning(2)(torch.tensor([[0.0, 2.0], [math.nan, -1.0], [math.nan, math.nan]])).vector
    assert vector.tolist() == [[0.0, 2.0, 1.0, 1.0], [0.0, -1.0, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0]]


def test_zero_is_not_no_condition():
    """What a null of zeros would confuse: the mean of standardized contexts, and none."""
    conditioning = VectorConditioning(2)
    assert not torch.equal(conditioning(torch.zeros(1, 2)).vector, conditioning(conditioning.null_context[None]).vector)


def test_unknown_pixels_are_marked():
    image = torch.ones(1, 2, 1, 2)
    image[0, 0, 0, 0] = math.nan
    assert ImageConditioning(2, 1, 2)(image).image.tolist() == [[[[0.0, 1.0]], [[1.0, 1.0]], [[0.5, 1.0]]]]


def test_unknown_numbers_have_no_gradient():
    context = torch.tensor([[math.nan, 1.0]], requires_grad=True)
    VectorConditioning(2)(context).vector.square().sum().backward()
    assert context.grad.tolist() == [[0.0, 2.0]]


@each
def test_the_null_context_is_a_context(name):
    conditioning = ALL[name]()
    null = conditioning.null_context
    assert null.shape == conditioning.context_shape
    conditions = conditioning(null.expand(2, *null.shape))
    given = [part for part in (conditions.vector, conditions.sequence, conditions.image) if part is not None]
    assert given
    assert all(part.isfinite().all() and part.shape[0] == 2 for part in given)
    assert "null_context" not in conditioning.state_dict()


@each
def test_declared_sizes_are_true(name):
    conditioning = ALL[name]()
    conditions = conditioning(conditioning.null_context[None])
    assert (0 if conditions.vector is None else conditions.vector.shape[1]) == conditioning.vector_features
    assert (0 if conditions.sequence is None else conditions.sequence.shape[2]) == conditioning.sequence_features
    assert ((0, 0, 0) if conditions.image is None else conditions.image.shape[1:]) == conditioning.image_shape


@each
def test_contexts_may_be_dropped_one_by_one(name):
    """The line of classifier-free guidance: some contexts replaced by null."""
    conditioning = ALL[name]()
    shape = (2, *conditioning.context_shape)
    context = torch.randn(shape) if conditioning.null_context.is_floating_point() else torch.ones(shape, dtype=torch.int64)
    keep = torch.tensor([True, False]).reshape(2, *[1] * len(conditioning.context_shape))
    mixed = conditioning(torch.where(keep, context, conditioning.null_context))
    kept, null = conditioning(context), conditioning(conditioning.null_context[None])
    for field in ("vector", "sequence", "mask", "image"):
        if getattr(mixed, field) is not None:
            torch.testing.assert_close(getattr(mixed, field)[0], getattr(kept, field)[0])
            torch.testing.assert_close(getattr(mixed, field)[1], getattr(null, field)[0])


def test_networks_know_partial_contexts():
    network = awake(UNet((1, 8, 8), width=8, multipliers=(1,), blocks=1, attention=(), conditioning=ImageConditioning(1, 8, 8)))
    x, image = torch.randn(1, 1, 8, 8), torch.randn(1, 1, 8, 8)
    holed = image.masked_fill(torch.arange(8) < 4, math.nan)
    outputs = [network(x, torch.zeros(1), context) for context in (image, holed, network.null_context[None])]
    assert all(output.isfinite().all() for output in outputs)
    assert (outputs[0] - outputs[1]).abs().max() > 1e-3
    assert (outputs[1] - outputs[2]).abs().max() > 1e-3


@each
def test_wrong_contexts_are_named(name):
    conditioning = ALL[name]()
    null = conditioning.null_context
    with pytest.raises(ValueError, match=r"must have shape \(N, "):
        conditioning(null)
    with pytest.raises(ValueError, match=r"must have shape \(N, "):
        conditioning(null.expand(2, 3, *null.shape))
    wrong = torch.int32 if null.dtype == torch.int64 else torch.int64
    with pytest.raises(TypeError, match=f"must have dtype {null.dtype}; got {wrong}"):
        conditioning(torch.zeros(2, *null.shape, dtype=wrong))


def test_labels_are_checked_where_values_may_be_read():
    conditioning = ClassConditioning(3)
    for label in (-1, 4):
        with pytest.raises(ValueError, match=rf"must lie in 0, \.\.\., 3; got values from {label} to {label}"):
            conditioning(torch.tensor([label]))
    Distribution.set_default_validate_args(False)
    with pytest.raises(IndexError):  # torch's own
        conditioning(torch.tensor([4]))


def test_indices():
    require_indices(torch.tensor([0, 2]), 3, "`index`")
    require_indices(torch.zeros(0, dtype=torch.int64), 3, "`index`")
    with pytest.raises(ValueError, match=r"`index` must lie in 0, \.\.\., 1; got values from 0 to 2"):
        require_indices(torch.tensor([0, 2]), 2, "`index`")


def test_wrong_sizes_are_named():
    for make in (lambda: ClassConditioning(0), lambda: VectorConditioning(0), lambda: ImageConditioning(1, 0, 2)):
        with pytest.raises(ValueError, match="must be positive"):
            make()


def test_a_conditioning_of_ones_own():
    class Scale(Conditioning):
        def __init__(self, null):
            super().__init__((), null, vector_features=1)

        def _conditions(self, context):
            return Conditions(vector=context[:, None].log())

    network = UNet((1, 8, 8), width=8, multipliers=(1,), blocks=1, attention=(), conditioning=Scale(torch.tensor(1.0)))
    assert network(torch.randn(2, 1, 8, 8), torch.zeros(2), torch.tensor([1.0, 2.0])).shape == (2, 1, 8, 8)
    with pytest.raises(ValueError, match=r"`null_context` must have shape \(\); got \(1,\)"):
        Scale(torch.ones(1))
