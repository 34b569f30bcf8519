"""Tables: three regression sets of the UCI repository, target last."""

from __future__ import annotations

import torch

from probgen.data.dataset import Dataset, Split, split_indices
from probgen.data.files import DataFile

__all__ = ["load_uci"]

_SHA256 = {
    "protein": "33e89f221a828ab66e89e7393d351db316fadb354fdfc44ecb01a9d82206b34a",
    "parkinsons": "4a25af193f25710531c56d25f1fdd16002b62c6bbce620ed5f97c3a64bd0d6e4",
    "wine": "7cc3dce4be63b43ee1694527f3ec967cd4e4da500b9503e38c70f3c58385b6d7",
}


def load_uci(name: str, *, standardize: bool = True) -> Dataset:
    """A UCI regression table: "protein" (45 730 x 9), "parkinsons" (5 875 x 20) or "wine" (1 599 x 11), plus a target.

    Split 80 / 10 / 10 %. With ``standardize`` every column has mean 0 and standard deviation 1 *on the training rows*.

    Args:
        name: Which table.
        standardize: Whether to scale the columns of ``x`` and ``y``.

    Raises:
        ValueError: an unknown name.
        DataNotFoundError: the file is not here.
        ChecksumError: it is another file.

    References:
        Dua, Graff (2019). UCI Machine Learning Repository. https://archive.ics.uci.edu

    Example:
        >>> from probgen.data import DataNotFoundError, load_uci
        >>> try:
        ...     ok = tuple(load_uci("wine").train.x.shape) == (1279, 11)
        ... except DataNotFoundError as error:
        ...     ok = "uci_datasets" in str(error)
        >>> ok
        True
    """
    if name not in _SHA256:
        raise ValueError(f"`name` must be one of {sorted(_SHA256)}; got {name!r}.")
    file = DataFile(
        f"uci_{name}.npz",
        _SHA256[name],
        f"Get `{name}` from https://github.com/treforevans/uci_datasets and save its columns, target last, as the float32 "
        f"array `data` in $PROBGEN_DATA/uci_{name}.npz.",
    )
    table = torch.from_numpy(file.arrays()["data"]).float()
    n = len(table)
    parts = split_indices(n, [n * 8 // 10, n // 10])
    if standardize:
        training = table[parts[0]]
        table = (table - training.mean(0)) / training.std(0)
    train, validation, test = (Split(table[part, :-1], table[part, -1:]) for part in parts)
    origin = "UCI Machine Learning Repository, by treforevans/uci_datasets"
    return Dataset(f"uci-{name}", origin, "CC BY 4.0", train, validation, test)
