r"""Linear maps by their matrix: :math:`y = b + W x` with :math:`\log|\det W|` from a factorization at every call.

The plainest parametrization: :math:`n^2` free numbers, :math:`O(n^3)` for the determinant and for a solve. Nothing keeps
:math:`W` away from singular matrices but the log-determinant in the likelihood; ``LULinear`` and ``QRLinear`` hold their
diagonal in bounds and read the determinant off it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from probgen.distributions.bijectors.linear import Linear, Start, require_start

__all__ = ["DenseLinear"]


class DenseLinear(Linear):
    r""":math:`y = b + W x` with a free matrix :math:`W`.

    Args:
        features: Length of the vectors, at least 1.
        loc: Learn the translation :math:`b`, started at zero; otherwise there is none.
        start: "rotation" for a random rotation or reflection, or "identity".
        generator: Source of randomness for ``start="rotation"``.

    Raises:
        ValueError: ``features`` is less than 1, or ``start`` is unknown.

    References:
        Kingma, Dhariwal (2018). Glow: generative flow with invertible 1x1 convolutions, section 3.2.
        https://arxiv.org/abs/1807.03039

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import DenseLinear
        >>> f = DenseLinear(3, generator=torch.Generator().manual_seed(0))
        >>> x = torch.tensor([1.0, 2.0, 3.0])
        >>> torch.allclose(f.inverse(f(x)), x, atol=1e-5), f.forward_log_det_jacobian(x).abs() < 1e-5
        (True, tensor(True))
    """

    _weight_name = "weight"

    def __init__(
        self,
        features: int,
        *,
        loc: bool = True,
        start: Start = "rotation",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(features, loc=loc)
        require_start(start)
        weight = torch.eye(features, dtype=torch.float64)
        if start == "rotation":
            weight = torch.linalg.qr(torch.randn(features, features, dtype=torch.float64, generator=generator))[0]
        self.weight = nn.Parameter(weight.to(torch.get_default_dtype()))

    def _multiply(self, x: Tensor) -> Tensor:
        return x @ self.weight.to(x.dtype).mT

    def _solve(self, y: Tensor) -> Tensor:
        rows = y.reshape(-1, self.features)
        x: Tensor = torch.linalg.solve(self.weight.to(y.dtype).mT, rows, left=False)
        return x.reshape(y.shape)

    def _log_determinant(self, like: Tensor) -> Tensor:
        log_det: Tensor = torch.linalg.slogdet(self.weight.to(like.dtype)).logabsdet
        return log_det
