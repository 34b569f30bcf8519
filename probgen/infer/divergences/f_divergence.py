r"""f-divergences by their variational bound.

With :math:`f` convex, :math:`f(1) = 0` and :math:`f^*` its conjugate, Fenchel's inequality at every point gives

.. math:: D_f(p \,\|\, q) = \int q\, f\!\Bigl(\frac pq\Bigr) \ge \mathbb E_p[T(x)] - \mathbb E_q[f^*(T(x))],
    \qquad T^* = f'\!\Bigl(\frac pq\Bigr),

for every function :math:`T` with values in the domain of :math:`f^*`. The critic's output :math:`v` is brought there by an
activation :math:`T(v)`; the functions are listed in :mod:`probgen.infer.divergences.convex_functions`.

What the generator minimizes is a choice. With the best critic the three give the gradients of

* ``"saturating"``, :math:`-\mathbb E_q[f^*(T)]`: of :math:`D_f(p \,\|\, q)` itself, by the envelope theorem;
* ``"non_saturating"``, :math:`-\mathbb E_q[T]`: of nothing with a name, but large where the critic is sure (Nowozin et al.);
* ``"log_ratio"``, :math:`-\mathbb E_q[\log (p/q)]` read off the critic: of :math:`\mathrm{KL}(q \,\|\, p)`, whatever
  :math:`f` is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

from torch import Tensor

from probgen.infer.divergences.convex_functions import CONVEX_FUNCTIONS, ConvexFunction
from probgen.infer.divergences.divergence import PointwiseDivergence

__all__ = ["FDivergence"]

Name = Literal["kl", "reverse_kl", "pearson", "hellinger", "jensen_shannon"]
GeneratorLoss = Literal["saturating", "non_saturating", "log_ratio"]


class FDivergence(PointwiseDivergence):
    r"""An f-divergence: the critic maximizes :math:`\mathbb E_p[T] - \mathbb E_q[f^*(T)] \le D_f(p \,\|\, q)`.

    Args:
        name: "kl" (:math:`\mathrm{KL}(p \,\|\, q)`, data first), "reverse_kl" (:math:`\mathrm{KL}(q \,\|\, p)`), "pearson"
            (:math:`\chi^2(p \,\|\, q) = \int (p - q)^2/q`), "hellinger" (:math:`\int (\sqrt p - \sqrt q)^2`) or
            "jensen_shannon".
        generator: What the generator minimizes: "saturating", the bound itself; "non_saturating", minus :math:`T` of its
            draws; "log_ratio", minus the log-ratio that the critic shows.

    Raises:
        ValueError: there is no such divergence or generator's loss.

    References:
        Nguyen, Wainwright, Jordan (2010). Estimating divergence functionals and the likelihood ratio by convex risk
        minimization. https://arxiv.org/abs/0809.0853

        Nowozin, Cseke, Tomioka (2016). f-GAN: training generative neural samplers using variational divergence minimization.
        https://arxiv.org/abs/1606.00709

    Example:
        >>> import torch
        >>> from probgen.infer import FDivergence
        >>> kl = FDivergence("kl")
        >>> log_ratio = torch.tensor([0.0, 1.0])
        >>> kl.best_output(log_ratio)  # T = f'(u) = 1 + log u
        tensor([1., 2.])
        >>> kl.estimate(torch.ones(3), torch.ones(3))  # equal laws
        tensor(0.)
    """

    def __init__(self, name: Name, *, generator: GeneratorLoss = "saturating") -> None:
        super().__init__()
        if name not in CONVEX_FUNCTIONS:
            raise ValueError(f"`name` must be one of {', '.join(CONVEX_FUNCTIONS)}; got {name!r}.")
        if generator not in get_args(GeneratorLoss):
            raise ValueError(f"`generator` must be one of {', '.join(get_args(GeneratorLoss))}; got {generator!r}.")
        self.name: Name = name
        self.generator: GeneratorLoss = generator

    @property
    def function(self) -> ConvexFunction:
        """The function :math:`f`, with its conjugate and the critic's activation."""
        return CONVEX_FUNCTIONS[self.name]

    def activation(self, output: Tensor) -> Tensor:
        """The variational function :math:`T(v)`, in the domain of the conjugate; elementwise."""
        return self.function.activation(output)

    def data_term(self, output: Tensor) -> Tensor:
        r""":math:`-T(v)`."""
        return -self.function.activation(output)

    def draw_term(self, output: Tensor) -> Tensor:
        r""":math:`f^*(T(v))`."""
        return self.function.conjugate_of_activation(output)

    def generator_term(self, output: Tensor) -> Tensor:
        r""":math:`-f^*(T(v))`, :math:`-T(v)` or :math:`-\log (p/q)`, as chosen."""
        losses: dict[GeneratorLoss, Callable[[Tensor], Tensor]] = {
            "saturating": self.function.conjugate_of_activation,
            "non_saturating": self.function.activation,
            "log_ratio": self.function.log_ratio,
        }
        return -losses[self.generator](output)

    def estimate(self, real: Tensor, fake: Tensor) -> Tensor:
        r"""A lower bound of :math:`D_f(p \,\|\, q)`, in nats for those with logarithms."""
        return -self.critic_loss(real, fake)

    def log_ratio(self, output: Tensor) -> Tensor:
        r""":math:`\log u` with :math:`f'(u) = T(v)`."""
        return self.function.log_ratio(output)

    def best_output(self, log_ratio: Tensor) -> Tensor:
        r"""The output with :math:`T(v) = f'(p/q)`."""
        return self.function.best_output(log_ratio)

    def extra_repr(self) -> str:
        """The divergence and the generator's loss."""
        return f"{self.name!r}, generator={self.generator!r}"
