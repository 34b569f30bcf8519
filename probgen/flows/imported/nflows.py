r"""From nflows: spline and affine layers, coupling and autoregressive, permutations and linear maps.

An nflows flow maps data to noise; ours noise to data, so the layers are inverted and stand in the opposite order.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from probgen.distributions import TransformedDistribution, standard_normal
from probgen.distributions.bijectors import (
    Bijector,
    Compose,
    Coupling,
    Elementwise,
    LULinear,
    MaskedAutoregressive,
    Permutation,
    Shift,
)
from probgen.flows.imported.elements import ImportedAffine, ImportedSpline
from probgen.flows.imported.networks import BlockNetwork, ReevaluatedNetwork

__all__ = ["from_nflows"]


def from_nflows(flow: nn.Module) -> TransformedDistribution:
    """The law of an nflows flow, with copies of its weights: the same densities, on all that our distributions do.

    Known are the rational-quadratic and affine layers, in coupling form (also additive; conditioned by ``ResidualNet``) and in
    autoregressive form, with contexts, permutations, ``LULinear`` and ``InverseTransform``, on a standard normal base. Splines
    must have linear tails.

    Args:
        flow: An ``nflows.flows.Flow``.

    Returns:
        The distribution; a conditional flow is conditioned by ``.condition(context)``.

    Raises:
        ValueError: the flow holds a layer, network, embedding or base that is not known.

    References:
        Durkan, Bekasov, Murray, Papamakarios (2020). nflows: normalizing flows in PyTorch.
        https://doi.org/10.5281/zenodo.4296287

    Example:
        >>> import torch
        >>> from probgen.flows import from_nflows
        >>> from_nflows(torch.nn.Linear(1, 1))
        Traceback (most recent call last):
            ...
        ValueError: `flow` must be an nflows flow, with `_transform` and `_distribution`; got Linear.
    """
    if not (hasattr(flow, "_transform") and hasattr(flow, "_distribution")):
        raise ValueError(f"`flow` must be an nflows flow, with `_transform` and `_distribution`; got {type(flow).__name__}.")
    base: Any = flow._distribution
    embedding = getattr(flow, "_embedding_net", None)
    if type(base).__name__ != "StandardNormal":
        raise ValueError(f"the base must be a StandardNormal; got {type(base).__name__}.")
    if embedding is not None and type(embedding).__name__ != "Identity":
        raise ValueError(f"a flow with an embedding of its context cannot be imported; got {type(embedding).__name__}.")
    parts = _flat(flow._transform)
    features = int(torch.Size(base._shape).numel())
    return TransformedDistribution(standard_normal(features), Compose(*(part.inv for part in reversed(parts))))


def _flat(transform: Any) -> list[Bijector]:
    if type(transform).__name__ == "CompositeTransform":
        return [part for inner in transform._transforms for part in _flat(inner)]
    if type(transform).__name__ == "InverseTransform":
        return [part.inv for part in reversed(_flat(transform._transform))]
    return [_layer(transform)]


def _layer(layer: Any) -> Bijector:
    """One layer, from data to noise."""
    name = type(layer).__name__
    if name.endswith("Permutation"):
        return Permutation(layer._permutation.detach().clone())
    if name == "LULinear":
        return _linear(layer)
    if name.endswith("CouplingTransform"):
        return _coupling(layer)
    if name.startswith("Masked") and name.endswith("AutoregressiveTransform"):
        return _autoregressive(layer)
    raise ValueError(f"{name} cannot be imported from nflows.")


def _coupling(layer: Any) -> Bijector:
    if getattr(layer, "unconditional_transform", None) is not None:
        raise ValueError("couplings with an unconditional transform cannot be imported from nflows.")
    moved, copied = layer.transform_features.tolist(), layer.identity_features.tolist()
    mask = [index in copied for index in range(len(moved) + len(copied))]
    element = _element(layer, layer.transform_net, "nflows coupling")
    context = int(getattr(layer.transform_net, "context_features", None) or 0)
    network = BlockNetwork(layer.transform_net, context)
    if isinstance(element, ImportedAffine):  # all shifts stand before all scales there
        rows = torch.arange(2 * len(moved)).reshape(2, -1).T.flatten()
        network.last.weight.data = network.last.weight.data[rows].clone()
        if network.last.bias is not None:
            network.last.bias.data = network.last.bias.data[rows].clone()
    shape = (context,) if context else None
    return Coupling(element, network, mask, context_shape=shape, input_bound=torch.inf)


def _autoregressive(layer: Any) -> Bijector:
    made = layer.autoregressive_net
    element = _element(layer, made, "nflows")
    features = int(made.initial_layer.in_features)
    context = int(made.context_layer.in_features) if hasattr(made, "context_layer") else 0
    levels = [[index] for index in range(features)]
    network = ReevaluatedNetwork(BlockNetwork(made, context), levels, element.num_free, context_features=context)
    return MaskedAutoregressive(element, network, parallel="forward", input_bound=torch.inf)


def _element(layer: Any, network: Any, affine: Any) -> Elementwise:
    name = type(layer).__name__
    if name == "AdditiveCouplingTransform":
        return Shift()
    if name in ("AffineCouplingTransform", "MaskedAffineAutoregressiveTransform"):
        _require_default_scale(layer)
        return ImportedAffine(affine, floor=float(getattr(layer, "_epsilon", 1e-3)))
    if "RationalQuadratic" not in name:
        raise ValueError(f"{name} cannot be imported from nflows.")
    if layer.tails != "linear":
        raise ValueError(f"splines must have linear tails to be imported from nflows; got tails={layer.tails!r}.")
    width = getattr(network, "hidden_features", None)
    factor = 1.0 if width is None else 1 / math.sqrt(width)
    floors = (float(layer.min_bin_width), float(layer.min_bin_height), float(layer.min_derivative))
    return ImportedSpline("nflows", int(layer.num_bins), float(layer.tail_bound), floors=floors, factor=factor)


def _require_default_scale(layer: Any) -> None:
    """Refuse an affine coupling whose scale is another function of the network's numbers than by default."""
    activation = getattr(layer, "scale_activation", None)
    if activation is None:
        return
    points = torch.linspace(-4.0, 4.0, 9)
    if not torch.allclose(activation(points), torch.sigmoid(points + 2) + 1e-3):
        raise ValueError("affine couplings with another `scale_activation` than the default cannot be imported from nflows.")


def _linear(layer: Any) -> LULinear:
    """L U with the same entries; our diagonal is bounded, so it must lie within the bound."""
    features = int(layer.features)
    linear = LULinear(features).to(layer.bias.dtype)
    diagonal: Tensor = torch.nn.functional.softplus(layer.unconstrained_upper_diag.detach().double()) + layer.eps
    bound = math.log(1e2)
    if bool((diagonal.log().abs() >= 0.999 * bound).any()):
        raise ValueError(f"the diagonal of LULinear must lie within a factor 100 of one; got {diagonal.tolist()}.")
    below, above = torch.tril_indices(features, features, -1), torch.triu_indices(features, features, 1)
    with torch.no_grad():
        linear.below[below[0], below[1]] = layer.lower_entries
        linear.above[above[0], above[1]] = layer.upper_entries
        linear.raw_diagonal.copy_(bound * torch.atanh(diagonal.log() / bound))
        if linear.loc is not None:
            linear.loc.copy_(layer.bias)
    return linear
