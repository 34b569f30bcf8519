"""The stand-in for data that are not here: their format, and only where it is wanted."""

import pytest
import torch

from probgen.data import DataNotFoundError, load_digits, load_faces, load_mnist, load_or_stand_in


def missing():
    raise DataNotFoundError("not here")


def test_it_has_the_format_of_what_is_missing():
    found, digits = load_or_stand_in(missing, (112, 92), stand_in=True), load_digits()
    assert found.name == "enlarged digits"
    for part, original in zip(
        (found.train, found.validation, found.test), (digits.train, digits.validation, digits.test), strict=True
    ):
        assert part.x.shape == (len(original), 112, 92)
        assert part.x.dtype == torch.uint8
        assert torch.equal(part.labels, original.labels)
    assert found.train.x.min() == 0
    assert found.train.x.max() == 255


def test_the_digits_are_still_there():
    """Averages over the blocks of pixels that each pixel became are the digits, but for what is mixed at the borders."""
    found, digits = load_or_stand_in(missing, (64, 64), stand_in=True), load_digits()
    blocks = torch.nn.functional.avg_pool2d(found.test.x.float().unsqueeze(1), 8).squeeze(1) * (16 / 255)
    assert (blocks - digits.test.x.float()).abs().mean() < 2
    assert torch.corrcoef(torch.stack([blocks.flatten(), digits.test.x.float().flatten()]))[0, 1] > 0.95


def test_only_where_it_is_wanted():
    with pytest.raises(DataNotFoundError, match="not here"):
        load_or_stand_in(missing, stand_in=False)


def test_what_is_here_is_loaded():
    assert load_or_stand_in(load_digits, stand_in=True).name == "digits"


@pytest.mark.parametrize(("load", "size"), [(load_mnist, (28, 28)), (load_faces, (112, 92))])
def test_the_size_is_that_of_the_data(load, size):
    assert load_or_stand_in(load, size, stand_in=True).test.x.shape[1:] == size
