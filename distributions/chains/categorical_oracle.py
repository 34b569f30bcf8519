r"""The exact denoiser of integers whose coordinates are independent: the test-bed of discrete chains.

For :math:`x_0 \sim \prod_d \pi_d` and a coordinate-wise forward process, Bayes' rule gives
:math:`p(x_0 = k \mid x_t) \propto \pi_d(k)\, \bar Q_t[k, x_t]`, and a chain with this denoiser has exact reverse kernels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from probgen.distributions.chains.categorical_process import CategoricalProcess
from probgen.distributions.chains.independent_categorical import IndependentCategorical
from probgen.distributions.chains.noise_level import NoiseLevel

__all__ = ["IndependentValues"]


class IndependentValues(nn.Module):
    r"""The network of the exact denoiser of data with independent coordinates.

    Args:
        process: The forward process.
        logits: Unnormalized log-probabilities of the data, ``[*event, values]``.

    Raises:
        ValueError: the logits have another shape.

    Example:
        >>> import torch
        >>> from probgen.distributions.chains import CategoricalDenoiser, CategoricalProcess, IndependentValues
        >>> process = CategoricalProcess(2, (1,), "uniform")
        >>> denoiser = CategoricalDenoiser(IndependentValues(process, torch.tensor([[0.8, 0.2]]).log()), process)
        >>> denoiser(torch.tensor([1]), 0.5).log_probs.exp()  # 0.8 * 0.25 against 0.2 * 0.75
        tensor([[0.5714, 0.4286]])
    """

    logits: Tensor

    def __init__(self, process: CategoricalProcess, logits: Tensor) -> None:
        super().__init__()
        expected = (*process.event_shape, process.values)
        if tuple(logits.shape) != expected:
            raise ValueError(f"`logits` must have shape {expected}; got {tuple(logits.shape)}.")
        self.process = process
        self.register_buffer("logits", logits.log_softmax(-1))

    @property
    def data(self) -> IndependentCategorical:
        """The law of the data."""
        return IndependentCategorical(self.logits, len(self.process.event_shape))

    def forward(self, x: Tensor, log_snr: Tensor, context: Tensor | None = None) -> Tensor:
        """Logits of the posterior, ``[N, *event, values]``."""
        exact = log_snr.double()
        alpha, sigma = (torch.sigmoid(sign * exact).sqrt() for sign in (1, -1))
        level = NoiseLevel(torch.full_like(exact, torch.nan), exact, alpha, sigma)
        seen = self.process.evidence(x, self.process.schedule.level(0.0), level, self.logits)
        return self.logits + seen[..., : self.process.values]
