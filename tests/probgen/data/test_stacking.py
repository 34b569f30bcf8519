"""Stacks of images: their channels are images, their classes numbers, their probabilities products."""

import pytest
import torch

from probgen.data import join_labels, stack_images, stacked_probabilities


def test_channels_are_images_of_the_set():
    images = torch.arange(24.0).reshape(6, 2, 2)
    found = stack_images(images, 50, stack=2, generator=torch.Generator().manual_seed(0))
    assert found.shape == (50, 2, 2, 2)
    assert set(found.flatten(0, 1)[:, 0, 0].tolist()) == set(images[:, 0, 0].tolist())
    assert torch.equal(found, stack_images(images, 50, stack=2, generator=torch.Generator().manual_seed(0)))
    assert stack_images(images, 0).shape == (0, 3, 2, 2)


def test_classes_are_numbers_in_base_ten():
    labels = torch.cartesian_prod(*[torch.arange(10)] * 3)
    assert torch.equal(join_labels(labels), torch.arange(1000))
    assert torch.equal(join_labels(labels.reshape(10, 100, 3)), torch.arange(1000).reshape(10, 100))
    assert join_labels(torch.tensor([[2, 1]]), classes=3).tolist() == [7]


def test_probabilities_are_products_of_frequencies():
    labels = torch.tensor([0, 1, 1, 2])
    p, single = stacked_probabilities(labels, classes=3), [0.25, 0.5, 0.25]
    for k, triple in enumerate(torch.cartesian_prod(*[torch.arange(3)] * 3).tolist()):
        assert p[k] == pytest.approx(single[triple[0]] * single[triple[1]] * single[triple[2]])
    torch.testing.assert_close(stacked_probabilities(torch.arange(10), stack=1), torch.full((10,), 0.1, dtype=torch.float64))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: stack_images(torch.zeros(0, 2, 2), 3), "`images` must hold at least one image"),
        (lambda: stack_images(torch.zeros(1, 2, 2), -1), "`number` must not be negative .* got -1 and 3"),
        (lambda: join_labels(torch.zeros(3)), "`labels` must be integers"),
        (lambda: join_labels(torch.tensor([[10]])), r"`labels` must lie in 0, ..., 9; got 10, ..., 10"),
        (lambda: stacked_probabilities(torch.zeros(0).long()), "at least one"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
