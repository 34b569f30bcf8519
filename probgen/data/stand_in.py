"""A data set that is always here, in the place of one that is not: for trying a program out, never for its figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor
from torch.nn.functional import interpolate

from probgen.data.dataset import Dataset, Split
from probgen.data.files import DataNotFoundError
from probgen.data.images import load_digits

__all__ = ["load_or_stand_in"]


def load_or_stand_in(load: Callable[[], Dataset], size: Sequence[int] = (28, 28), *, stand_in: bool) -> Dataset:
    """Load gray images; where their files are not here and a stand-in will do, the embedded digits in the same format.

    Args:
        load: Loads the data: ``load_mnist``, ``load_fashion_mnist`` or ``load_faces``.
        size: (height, width) of its images.
        stand_in: Whether digits, enlarged to that size with 256 levels of gray, will do.

    Returns:
        The data, or a data set named "enlarged digits".

    Raises:
        DataNotFoundError: the files are not here, and no stand-in is wanted.

    Example:
        >>> from probgen.data import load_mnist, load_or_stand_in
        >>> found = load_or_stand_in(load_mnist, stand_in=True)
        >>> found.levels, tuple(found.test.x.shape[1:]), found.test.x.dtype
        (256, (28, 28), torch.uint8)
    """
    try:
        return load()
    except DataNotFoundError:
        if not stand_in:
            raise
    digits = load_digits()
    train, validation, test = (
        Split(_enlarged(part.x, size), part.y) for part in (digits.train, digits.validation, digits.test)
    )
    return Dataset("enlarged digits", digits.origin, digits.license, train, validation, test, levels=256)


def _enlarged(x: Tensor, size: Sequence[int]) -> Tensor:
    """Values 0 to 16 as bytes of larger images."""
    larger = interpolate(x.float().unsqueeze(1) * (255 / 16), tuple(size), mode="bilinear")
    return larger.squeeze(1).round().byte()
