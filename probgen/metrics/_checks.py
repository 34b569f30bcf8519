"""Checks that the metrics on features share."""

from __future__ import annotations

from torch import Tensor

__all__ = ["as_feature_pair", "as_features"]


def as_features(name: str, features: Tensor, least: int = 2) -> Tensor:
    """The features in float64, ``[n, features]``, after checking them.

    Args:
        name: Of the argument, for messages.
        features: A matrix with one row for each example.
        least: Fewest rows.

    Raises:
        TypeError: not a tensor.
        ValueError: not a matrix, too few rows, no columns, or a value is not finite.

    Example:
        >>> import torch
        >>> from probgen.metrics._checks import as_features
        >>> as_features("features", torch.zeros(3, 2)).dtype
        torch.float64
    """
    if not isinstance(features, Tensor):
        raise TypeError(f"`{name}` must be a torch.Tensor; got {type(features).__name__}.")
    if features.dim() != 2 or features.shape[1] < 1:
        raise ValueError(
            f"`{name}` must be a matrix [n, features], one row for each example; got shape {tuple(features.shape)}."
        )
    if features.shape[0] < least:
        raise ValueError(f"`{name}` must hold at least {least} examples; got {features.shape[0]}.")
    values = features.detach().double()
    wrong = int((~values.isfinite()).any(-1).sum())
    if wrong:
        raise ValueError(f"`{name}` must be finite; {wrong} of {len(values)} examples hold NaN or infinity.")
    return values


def as_feature_pair(names: tuple[str, str], a: Tensor, b: Tensor, least: int = 2) -> tuple[Tensor, Tensor]:
    """Two checked matrices with the same columns, on one device.

    Args:
        names: Of the two arguments.
        a: The one.
        b: The other.
        least: Fewest rows of each.

    Raises:
        ValueError: the numbers of columns differ.

    Example:
        >>> import torch
        >>> from probgen.metrics._checks import as_feature_pair
        >>> [len(x) for x in as_feature_pair(("a", "b"), torch.zeros(3, 2), torch.zeros(5, 2))]
        [3, 5]
    """
    first, second = as_features(names[0], a, least), as_features(names[1], b, least)
    if first.shape[1] != second.shape[1]:
        raise ValueError(
            f"`{names[0]}` and `{names[1]}` must have the same number of features; got {first.shape[1]} and {second.shape[1]}."
        )
    return first, second.to(first.device)
