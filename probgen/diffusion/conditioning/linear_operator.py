r"""Linear maps from data to what is observed of them, with their transposes, pseudo-inverses and null spaces.

Of an observation :math:`y = A x + \sigma_y n` every method needs only a few actions of A:

.. math::

    A x, \qquad A^\top y, \qquad A^+ y, \qquad x - A^+ A x, \qquad
    \bigl(A\,\mathrm{diag}(v) A^\top + b I\bigr)^{-1} y .

In the maps of images below no datum is seen by two coordinates of y, so the rows of A are orthogonal,
:math:`A\,\mathrm{diag}(v) A^\top` is diagonal, and nothing is ever factorized. A general matrix is factorized.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from probgen.distributions.numerics.stable import sum_rightmost

__all__ = ["AveragePooling", "Grayscale", "LinearOperator", "Masking"]


class LinearOperator:
    r"""A linear map A from data ``[*batch, *event]`` to observations ``[*batch, *observed]`` (abstract).

    A subclass writes ``apply`` and ``transpose``, and either ``gram``, if its rows have disjoint supports, or ``solve`` and
    ``pseudo_inverse``. It obeys :math:`A A^+ A = A` and :math:`\langle A x, y\rangle = \langle x, A^\top y\rangle`.

    Args:
        event_shape: Shape of one datum.
        observed_shape: Shape of one observation.

    Example:
        >>> import torch
        >>> from probgen.diffusion.conditioning import AveragePooling
        >>> pool, x = AveragePooling((1, 4, 4), 2), torch.arange(16.0).reshape(1, 4, 4)
        >>> bool(torch.allclose(pool.apply(pool.null_space(x)), torch.zeros(1, 2, 2), atol=1e-6))
        True
    """

    def __init__(self, event_shape: Sequence[int], observed_shape: Sequence[int]) -> None:
        self.event_shape = torch.Size(event_shape)
        self.observed_shape = torch.Size(observed_shape)

    # -------------------------------------------------------------------------------------------------------------------- hooks

    def apply(self, x: Tensor) -> Tensor:
        """The observation :math:`A x` without noise: ``[*batch, *event]`` to ``[*batch, *observed]``."""
        raise NotImplementedError(f"{type(self).__name__} does not define `apply`.")

    def transpose(self, y: Tensor) -> Tensor:
        r"""The transposed map :math:`A^\top y`: ``[*batch, *observed]`` to ``[*batch, *event]``."""
        raise NotImplementedError(f"{type(self).__name__} does not define `transpose`.")

    def gram(self, variance: Tensor) -> Tensor:
        r"""The diagonal of :math:`A\,\mathrm{diag}(v) A^\top`: ``[*batch, *event]`` to ``[*batch, *observed]``."""
        raise NotImplementedError(f"{type(self).__name__} has no diagonal `gram`.")

    def present(self, like: Tensor) -> Tensor:
        """One for every coordinate that was seen, zero for the others; broadcasts to ``[*batch, *observed]``."""
        return torch.ones(self.observed_shape, dtype=like.dtype, device=like.device)

    def unsqueeze(self) -> LinearOperator:
        """The same map with one more batch dimension on the right, where it has a batch."""
        return self

    # ------------------------------------------------------------------------------------------------------------------ derived

    def pseudo_inverse(self, y: Tensor) -> Tensor:
        r"""The shortest datum that explains y, :math:`A^+ y = A^\top (A A^\top)^+ y`."""
        diagonal = self.gram(torch.ones(self.event_shape, dtype=y.dtype, device=y.device))
        return self.transpose(torch.where(diagonal > 0, y / torch.where(diagonal > 0, diagonal, 1.0), 0.0))

    def null_space(self, x: Tensor) -> Tensor:
        r"""What the observation does not see of x, :math:`x - A^+ A x`, shape ``[*batch, *event]``."""
        return x - self.pseudo_inverse(self.apply(x))

    def solve(self, y: Tensor, variance: Tensor, noise: float) -> tuple[Tensor, Tensor]:
        r"""Solve :math:`(A\,\mathrm{diag}(v) A^\top + b I)\,u = y` on the coordinates that were seen.

        Args:
            y: Right-hand side ``[*batch, *observed]``.
            variance: The diagonal v, ``[*batch, *event]``.
            noise: The number b.

        Returns:
            The solution ``[*batch, *observed]`` and the log-determinant ``[*batch]``.
        """
        present = self.present(y)
        diagonal = torch.where(present > 0, self.gram(variance) + noise, 1.0)
        log_det = sum_rightmost(diagonal.log(), len(self.observed_shape))
        return present * y / diagonal, log_det

    def dense(self, like: Tensor) -> Tensor:
        """The map as a matrix ``[*batch, M, D]`` between flattened observations and data."""
        size = self.event_shape.numel()
        basis = torch.eye(size, dtype=like.dtype, device=like.device).reshape(size, *self.event_shape)
        return self.apply(basis).reshape(size, -1).mT

    def __repr__(self) -> str:
        return f"{type(self).__name__}({tuple(self.event_shape)} -> {tuple(self.observed_shape)})"


class Masking(LinearOperator):
    r"""Some coordinates are seen, the others are not (inpainting): :math:`A x = m \odot x`.

    Observations keep the shape of the data, with zeros where nothing was seen, so every datum of a batch may have its own mask.

    Args:
        mask: True or one where seen, shape ``[*batch, *event]``.
        event_dim: Number of event dimensions; all of the mask's by default.

    Example:
        >>> import torch
        >>> from probgen.diffusion.conditioning import Masking
        >>> Masking(torch.tensor([True, False])).apply(torch.tensor([3.0, 4.0]))
        tensor([3., 0.])
    """

    def __init__(self, mask: Tensor, event_dim: int | None = None) -> None:
        rank = mask.dim() if event_dim is None else event_dim
        shape = mask.shape[mask.dim() - rank :]
        super().__init__(shape, shape)
        self.mask = mask.bool()

    def apply(self, x: Tensor) -> Tensor:
        """The datum with zeros where it was not seen."""
        return torch.where(self.mask.to(x.device), x, 0.0)

    def transpose(self, y: Tensor) -> Tensor:
        """The same as :meth:`apply`: a mask is a projection."""
        return self.apply(y)

    def gram(self, variance: Tensor) -> Tensor:
        """The variances that were seen."""
        return self.apply(variance)

    def present(self, like: Tensor) -> Tensor:
        """The mask."""
        return self.mask.to(like)

    def unsqueeze(self) -> LinearOperator:
        """The same masks with one more batch dimension on the right."""
        rank = len(self.event_shape)
        return Masking(self.mask.unsqueeze(-1 - rank), rank) if self.mask.dim() > rank else self

    def dense(self, like: Tensor) -> Tensor:
        """Diagonal matrices ``[*batch, D, D]``."""
        return torch.diag_embed(self.present(like).flatten(self.mask.dim() - len(self.event_shape)))


class AveragePooling(LinearOperator):
    r"""Means over blocks of pixels: a low-resolution image is the observation (super-resolution).

    Args:
        event_shape: ``(..., H, W)``.
        factor: Side of a block; divides H and W.

    Raises:
        ValueError: the event is no image, or the factor does not divide it.

    Example:
        >>> import torch
        >>> from probgen.diffusion.conditioning import AveragePooling
        >>> pool = AveragePooling((1, 2, 2), 2)
        >>> pool.apply(torch.tensor([[[0.0, 1.0], [2.0, 5.0]]])), pool.pseudo_inverse(torch.tensor([[[2.0]]])).sum()
        (tensor([[[2.]]]), tensor(8.))
    """

    def __init__(self, event_shape: Sequence[int], factor: int) -> None:
        shape = tuple(event_shape)
        if len(shape) < 2 or factor < 1 or shape[-1] % factor or shape[-2] % factor:
            raise ValueError(f"`factor` must divide height and width of `event_shape`; got {factor} and {shape}.")
        super().__init__(shape, (*shape[:-2], shape[-2] // factor, shape[-1] // factor))
        self.factor = factor

    def apply(self, x: Tensor) -> Tensor:
        """The means."""
        height, width = self.observed_shape[-2:]
        return x.reshape(*x.shape[:-2], height, self.factor, width, self.factor).mean((-3, -1))

    def transpose(self, y: Tensor) -> Tensor:
        """Every mean, divided by the size of its block, at all pixels of the block."""
        return y.repeat_interleave(self.factor, -2).repeat_interleave(self.factor, -1) / self.factor**2

    def gram(self, variance: Tensor) -> Tensor:
        """The variances of the means."""
        return self.apply(variance) / self.factor**2


class Grayscale(LinearOperator):
    r"""A weighted sum of the channels at every pixel (colorization): :math:`(A x)_{hw} = \sum_c w_c x_{chw}`.

    Args:
        event_shape: ``(C, H, W)``.
        weights: One number for every channel; the mean of the channels by default.

    Raises:
        ValueError: the event is no image with channels, or there are more or fewer weights than channels.

    Example:
        >>> import torch
        >>> from probgen.diffusion.conditioning import Grayscale
        >>> Grayscale((3, 1, 1)).apply(torch.tensor([[[0.0]], [[3.0]], [[6.0]]]))
        tensor([[[3.]]])
    """

    def __init__(self, event_shape: Sequence[int], weights: Sequence[float] | None = None) -> None:
        shape = tuple(event_shape)
        if len(shape) != 3 or (weights is not None and len(weights) != shape[0]):
            raise ValueError(f"`event_shape` must be (C, H, W), with C `weights`; got {shape} and {weights}.")
        super().__init__(shape, (1, *shape[1:]))
        values = [1 / shape[0]] * shape[0] if weights is None else list(weights)
        self.weights = torch.tensor(values, dtype=torch.float64).reshape(-1, 1, 1)

    def apply(self, x: Tensor) -> Tensor:
        """The weighted sum, with one channel."""
        return (self.weights.to(x) * x).sum(-3, keepdim=True)

    def transpose(self, y: Tensor) -> Tensor:
        """The weights times the gray value."""
        return self.weights.to(y) * y

    def gram(self, variance: Tensor) -> Tensor:
        """The variance of the gray value."""
        return (self.weights.square().to(variance) * variance).sum(-3, keepdim=True)
