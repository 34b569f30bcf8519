r"""From zuko: masked autoregressive flows, neural spline flows, NICE and Real NVP.

A zuko flow maps data to noise, :math:`z = t_n(\dots t_1(x))`, ours noise to data:
:math:`f = t_1^{-1} \circ \dots \circ t_n^{-1}`.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor, nn

from probgen.distributions import TransformedDistribution, standard_normal
from probgen.distributions.bijectors import Affine, Bijector, Compose, Coupling, Elementwise, MaskedAutoregressive, Shift
from probgen.flows.imported.elements import ImportedAffine, ImportedSpline
from probgen.flows.imported.networks import ReevaluatedNetwork, layers_of

__all__ = ["from_zuko"]


def from_zuko(flow: nn.Module) -> TransformedDistribution:
    """The law of a zuko flow, with copies of its weights: the same densities, on all that our distributions do.

    Known are ``MAF``, ``NSF`` (also with ``passes=2``), ``NICE`` and ``RealNVP``, their networks with or without residual
    blocks, and contexts. Import zuko only where it may: it turns off torch's argument validation for the whole process. Moving
    a trained flow by pickle needs zuko on both sides; convert it where it was trained and save what comes out.

    Args:
        flow: A ``zuko.flows.Flow``.

    Returns:
        The distribution; a conditional flow is conditioned by ``.condition(context)``.

    Raises:
        ValueError: the flow holds a transformation, element, network or base that is not known.

    References:
        Rozet et al. (2022). Zuko: normalizing flows in PyTorch. https://github.com/probabilists/zuko

    Example:
        >>> import torch
        >>> from probgen.flows import from_zuko
        >>> from_zuko(torch.nn.Linear(1, 1))
        Traceback (most recent call last):
            ...
        ValueError: `flow` must be a zuko flow, with `transform` and `base`; got Linear.
    """
    if not (hasattr(flow, "transform") and hasattr(flow, "base")):
        raise ValueError(f"`flow` must be a zuko flow, with `transform` and `base`; got {type(flow).__name__}.")
    transform: Any = flow.transform
    layers = list(transform.transforms) if hasattr(transform, "transforms") else [transform]
    parts = [_layer(layer) for layer in layers]
    loc, scale = _base(flow)
    ends: list[Bijector] = [] if bool((loc == 0).all() and (scale == 1).all()) else [Affine(loc, scale)]
    return TransformedDistribution(standard_normal(len(loc)), Compose(*ends, *(part.inv for part in reversed(parts))))


def _base(flow: nn.Module) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of the base."""
    made: Any = flow.base()  # type: ignore[operator]
    if type(made).__name__ != "DiagNormal":
        raise ValueError(f"the base must be a DiagNormal; got {type(made).__name__}.")
    law = made.base_dist if hasattr(made, "base_dist") else made
    return law.loc.detach().clone(), law.scale.detach().clone()


def _layer(layer: Any) -> Bijector:
    """One transformation, from data to noise."""
    name = type(layer).__name__
    if name == "MaskedAutoregressiveTransform" and layer.order is not None:
        return _autoregressive(layer)
    if name == "GeneralCouplingTransform":
        mask = [bool(flag) for flag in layer.mask.tolist()]
        element = _element(layer)
        network = layers_of(layer.hyper)
        context = network[0].weight.shape[1] - sum(mask)  # type: ignore[index]
        shape = (int(context),) if context else None
        return Coupling(element, network, mask, context_shape=shape, input_bound=torch.inf)
    raise ValueError(f"{name} cannot be imported from zuko{' (with an adjacency)' if name.startswith('Masked') else ''}.")


def _autoregressive(layer: Any) -> Bijector:
    order = layer.order.tolist()
    levels = [[index for index, rank in enumerate(order) if rank == level] for level in sorted(set(order))]
    element = _element(layer)
    context = int(layer.hyper.in_features) - len(order)
    network = ReevaluatedNetwork(layers_of(layer.hyper), levels, element.num_free, context_features=context)
    return MaskedAutoregressive(element, network, parallel="forward", input_bound=torch.inf)


def _element(layer: Any) -> Elementwise:
    """The element that the layer's ``univariate`` makes."""
    made = layer.univariate
    options = dict(made.keywords) if isinstance(made, functools.partial) else {}
    name = (made.func if isinstance(made, functools.partial) else made).__name__
    if name == "AdditiveTransform":
        return Shift()
    if name == "MonotonicAffineTransform":
        return ImportedAffine("zuko", floor=options.get("slope", 1e-3))
    if name == "MonotonicRQSTransform":
        bins, slope = int(layer.shapes[0][0]), options.get("slope", 1e-3)
        return ImportedSpline("zuko", bins, options.get("bound", 5.0), floors=(slope,) * 3)
    raise ValueError(f"the element {name} cannot be imported from zuko.")
