r"""Truncated elements: only the more probable values are kept, with their masses brought back to one.

.. math:: p'(v) = \frac{p(v)\, 1[v \in K]}{\sum_{w \in K} p(w)}

where K are the k most probable values (top-k), the fewest values with mass at least p (top-p, nucleus), or those at least p
times as probable as the best (min-p). K depends on the parameters, so the declared support stays that of the element: a value
outside of K has log-mass minus infinity, and passes validation.
"""

from __future__ import annotations

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor

from probgen.distributions.elements.element import Element
from probgen.distributions.elements.tables import as_table, with_log_masses

__all__ = ["MinPElement", "TopKElement", "TopPElement", "TruncatedElement"]


class TruncatedElement(Element):
    """Another element's finite law, restricted to some of its values (abstract); a subclass writes ``_kept``.

    Attributes:
        element: The other element.

    Args:
        element: An element whose law is a finite one of single numbers: binary, categorical, of levels.

    Raises:
        TypeError: it is not.

    Example:
        >>> from probgen.distributions.elements import CategoricalElement, TopKElement, TruncatedElement
        >>> isinstance(TopKElement(CategoricalElement(4), 2), TruncatedElement)
        True
    """

    def __init__(self, element: Element) -> None:
        super().__init__()
        self.element = element
        self.num_parameters = element.num_parameters
        self.event_shape = element.event_shape
        self(torch.zeros(self.num_parameters))  # whether it can be truncated

    def _kept(self, probs: Tensor) -> Tensor:
        """Which values to keep, booleans ``[*batch, S]``, of masses ``[*batch, S]``."""
        raise NotImplementedError(f"{type(self).__name__} does not define `_kept`.")

    def _law(self, parameters: Tensor) -> TorchDistribution:
        table = as_table(self.element(parameters))
        if table is None:
            raise TypeError(
                f"`element` must have a law of finitely many single numbers, to keep some of them; "
                f"{type(self.element).__name__} has not."
            )
        kept = self._kept(table.probs.detach())
        return with_log_masses(table, torch.where(kept, table.log_probs, -torch.inf))


class TopKElement(TruncatedElement):
    """Another element's law restricted to its k most probable values (of equal ones, the lower).

    Args:
        element: An element with a finite law of single numbers.
        k: How many values to keep, at least one; all, where there are not more.

    Raises:
        TypeError: the law is not finite.
        ValueError: k is no positive integer.

    References:
        Fan, Lewis, Dauphin (2018). Hierarchical neural story generation. https://arxiv.org/abs/1805.04833

    Example:
        >>> import torch
        >>> from probgen.distributions.elements import CategoricalElement, TopKElement
        >>> TopKElement(CategoricalElement(4), 2)(torch.tensor([0.5, 0.25, 0.15, 0.1]).log()).probs
        tensor([0.6667, 0.3333, 0.0000, 0.0000])
    """

    def __init__(self, element: Element, k: int) -> None:
        if k != int(k) or k < 1:
            raise ValueError(f"`k` must be an integer and at least 1; got {k}.")
        self.k = k
        super().__init__(element)

    def _kept(self, probs: Tensor) -> Tensor:
        order = torch.sort(probs, dim=-1, descending=True, stable=True).indices
        return order.argsort(-1) < self.k

    def extra_repr(self) -> str:
        """How many values."""
        return f"k={self.k}"


class TopPElement(TruncatedElement):
    """Another element's law restricted to the fewest values, most probable first, whose mass reaches p.

    Args:
        element: An element with a finite law of single numbers.
        p: The mass to reach, in (0, 1].

    Raises:
        TypeError: the law is not finite.
        ValueError: p is outside (0, 1].

    References:
        Holtzman, Buys, Du, Forbes, Choi (2020). The curious case of neural text degeneration. https://arxiv.org/abs/1904.09751

    Example:
        >>> import torch
        >>> from probgen.distributions.elements import CategoricalElement, TopPElement
        >>> TopPElement(CategoricalElement(4), 0.8)(torch.tensor([0.5, 0.25, 0.15, 0.1]).log()).probs
        tensor([0.5556, 0.2778, 0.1667, 0.0000])
    """

    def __init__(self, element: Element, p: float) -> None:
        _require_part(p)
        self.p = float(p)
        super().__init__(element)

    def _kept(self, probs: Tensor) -> Tensor:
        mass, order = torch.sort(probs, dim=-1, descending=True, stable=True)
        before = mass.cumsum(-1) - mass
        reached = before < self.p - 4 * torch.finfo(probs.dtype).eps  # a mass of p up to rounding is enough
        reached = reached | (torch.arange(probs.shape[-1], device=probs.device) == 0)
        return reached.gather(-1, order.argsort(-1))

    def extra_repr(self) -> str:
        """The mass."""
        return f"p={self.p:g}"


class MinPElement(TruncatedElement):
    """Another element's law restricted to values at least p times as probable as the most probable one.

    Args:
        element: An element with a finite law of single numbers.
        p: The ratio, in (0, 1].

    Raises:
        TypeError: the law is not finite.
        ValueError: p is outside (0, 1].

    References:
        Nguyen et al. (2024). Turning up the heat: min-p sampling for creative and coherent outputs.
        https://arxiv.org/abs/2407.01082

    Example:
        >>> import torch
        >>> from probgen.distributions.elements import CategoricalElement, MinPElement
        >>> MinPElement(CategoricalElement(4), 0.4)(torch.tensor([0.5, 0.25, 0.15, 0.1]).log()).probs
        tensor([0.6667, 0.3333, 0.0000, 0.0000])
    """

    def __init__(self, element: Element, p: float) -> None:
        _require_part(p)
        self.p = float(p)
        super().__init__(element)

    def _kept(self, probs: Tensor) -> Tensor:
        return probs >= self.p * probs.amax(-1, keepdim=True)

    def extra_repr(self) -> str:
        """The ratio."""
        return f"p={self.p:g}"


def _require_part(p: float) -> None:
    if not 0 < p <= 1:
        raise ValueError(f"`p` must lie in (0, 1]; got {p}.")
