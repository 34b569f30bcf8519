r"""A log-ratio of two densities, read off a critic.

.. math:: r(x) = a\, \ell(v(x)) + b \approx \log \frac{p(x)}{q(x)}

:math:`v` is a critic that was trained to tell draws of :math:`p` from those of :math:`q`, and :math:`\ell` the *link*: what
the best critic of the divergence it was trained by says of the ratio (the identity for a classifier's logit).
:math:`a = 1, b = 0` unless the ratio was recalibrated on draws that the critic has not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from probgen.distributions._checks import require_context
from probgen.distributions.events import batch_of, one_batch_dim

__all__ = ["DensityRatio"]


class DensityRatio(nn.Module):
    r"""The log-ratio of two densities as a module.

    ``probgen.infer.DensityRatioLoss`` fits one; the critic of any divergence that determines the ratio is another, with
    ``divergence.log_ratio`` as its link. ``ratio_report`` says what it is worth, ``recalibrated`` mends its scale.

    Args:
        critic: From events ``[N, *event]``, and a context ``[N, *context_shape]`` where one is declared, to outputs ``[N]`` or
            ``[N, 1]``.
        event_shape: Shape of an event.
        link: From outputs to log-ratios, elementwise; the identity by default.
        context_shape: Trailing shape of the context (``()`` for labels), or None: the critic takes none.
        slope: :math:`a`; kept as a buffer.
        offset: :math:`b`; kept as a buffer.

    References:
        Sugiyama, Suzuki, Kanamori (2012). Density ratio estimation in machine learning.
        https://doi.org/10.1017/CBO9781139035613

    Example:
        >>> import torch
        >>> from probgen.distributions.implicit import DensityRatio
        >>> ratio = DensityRatio(lambda x: 0.5 - x, event_shape=())  # of N(0, 1) and N(1, 1)
        >>> ratio(torch.tensor([0.0, 0.5])), ratio.probability(torch.tensor(0.5))
        (tensor([0.5000, 0.0000]), tensor(0.5000))
    """

    slope: Tensor
    offset: Tensor

    def __init__(
        self,
        critic: Callable[..., Tensor],
        event_shape: Sequence[int],
        *,
        link: Callable[[Tensor], Tensor] | None = None,
        context_shape: Sequence[int] | None = None,
        slope: float | Tensor = 1.0,
        offset: float | Tensor = 0.0,
    ) -> None:
        super().__init__()
        self.critic = critic
        self.event_shape = torch.Size(event_shape)
        self.link = link
        self.context_shape = None if context_shape is None else tuple(context_shape)
        self.register_buffer("slope", torch.as_tensor(slope).detach().clone())
        self.register_buffer("offset", torch.as_tensor(offset).detach().clone())

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        r"""The log-ratio :math:`r(x)`, in nats.

        Args:
            x: Points ``[*batch, *event]``.
            context: Shape ``[*batch, *context_shape]``, or one that broadcasts to it.

        Returns:
            Shape ``[*batch]``.

        Raises:
            ValueError: the points have another event shape, or the critic gives more than one output for each.
            ContextError: the context is missing, not wanted, or has another shape.
        """
        outputs = self.outputs(x, context)
        ratio = outputs if self.link is None else self.link(outputs)
        return self.slope.to(ratio) * ratio + self.offset.to(ratio)

    def outputs(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """The critic's outputs: ``[*batch, *event]`` to ``[*batch]``."""
        lead = batch_of("`x`", x, self.event_shape)
        require_context(type(self).__name__, context, self.context_shape, lead)
        flat = x.reshape(lead.numel(), *self.event_shape)
        if context is None:
            found = self.critic(flat)
        else:
            found = self.critic(flat, one_batch_dim(context, lead, self.context_shape or ()))
        if found.shape not in {(lead.numel(),), (lead.numel(), 1)}:
            raise ValueError(
                f"`critic` must give one output for each of {lead.numel()} events; it gave shape {tuple(found.shape)}."
            )
        return found.reshape(lead)

    def probability(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        r"""The probability :math:`\sigma(r(x))` that a point, from either law with equal chances, is from p: ``[*batch]``."""
        return torch.sigmoid(self(x, context))

    def extra_repr(self) -> str:
        """The event, and what recalibration has changed."""
        return f"event_shape={tuple(self.event_shape)}, slope={float(self.slope):.4g}, offset={float(self.offset):.4g}"
