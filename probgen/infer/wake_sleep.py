r"""Reweighted wake–sleep as an objective with two players.

For draws :math:`z_k \sim q_\phi(z \mid x)`, taken as constants, with normalized weights :math:`\tilde w_k \propto
p_\theta(x, z_k) / q_\phi(z_k \mid x)`, the players minimize, summed over the data,

.. math::

    L_{\mathrm{model}}(\theta) = -\sum_k \tilde w_k \log p_\theta(x, z_k), \qquad
    L_{\mathrm{wake}}(\phi) = -\sum_k \tilde w_k \log q_\phi(z_k \mid x), \qquad
    L_{\mathrm{sleep}}(\phi) = -\mathbb E_{p_\theta(x, z)} \log q_\phi(z \mid x).

The first gradient estimates :math:`\nabla_\theta \log p_\theta(x)` (exactly that of the importance-weighted bound), the others
minimize :math:`\mathrm{KL}(p_\theta(z \mid x) \,\|\, q_\phi(z \mid x))` at the data and at the model's own dreams. No draw is
differentiated, so latents may be discrete.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, cast

import torch
from pyro.poutine.messenger import Messenger
from torch import Tensor, nn

from probgen.infer.log_weights import LogWeights, log_weights
from probgen.infer.objective import Player
from probgen.infer.pyro_modules import module_parameters_only
from probgen.infer.trace import run_program
from probgen.infer.variational import Particles, Program, VariationalObjective, program_modules

__all__ = ["WakeSleep", "WakeSleepLoss"]


class WakeSleep:
    """How to run reweighted wake–sleep; call it with the programs to get the objective.

    Args:
        particles: Number K of draws for every datum.
        guide_update: The guide learns in the "wake" phase, from weighted draws at the data; in the "sleep" phase, from the
            model's own draws; or from the average of "both".
        vectorize: Draw the particles in one pass, in a plate to the left of all others, instead of a loop.
        max_plate_nesting: With ``vectorize``, the largest number of batch dimensions in the programs.

    Raises:
        ValueError: ``particles`` is not positive, or ``guide_update`` is unknown.

    References:
        Hinton, Dayan, Frey, Neal (1995). The "wake-sleep" algorithm for unsupervised neural networks.
        https://www.cs.toronto.edu/~hinton/absps/ws.pdf
        Bornschein, Bengio (2015). Reweighted wake-sleep. https://arxiv.org/abs/1406.2751
        Le, Kosiorek, Siddharth, Teh, Wood (2019). Revisiting reweighted wake-sleep for models with stochastic control flow.
        https://arxiv.org/abs/1805.10469

    Example:
        >>> import pyro, torch
        >>> import pyro.distributions as dist
        >>> from probgen.infer import WakeSleep
        >>> def model(x):
        ...     with pyro.plate("data", len(x)):
        ...         k = pyro.sample("k", dist.Bernoulli(0.5))
        ...         pyro.sample("x", dist.Normal(k, 1.0), obs=x)
        >>> def guide(x):
        ...     with pyro.plate("data", len(x)):
        ...         pyro.sample("k", dist.Bernoulli(logits=x - 0.5))  # the posterior
        >>> WakeSleep(5)(model, guide)(torch.zeros(3)).shape
        torch.Size([])
    """

    def __init__(
        self,
        particles: int,
        guide_update: Literal["wake", "sleep", "both"] = "wake",
        *,
        vectorize: bool = True,
        max_plate_nesting: int = 1,
    ) -> None:
        if guide_update not in ("wake", "sleep", "both"):
            raise ValueError(f"`guide_update` must be 'wake', 'sleep' or 'both'; got {guide_update!r}.")
        self.particles = Particles(particles, vectorize, max_plate_nesting)
        self.guide_update = guide_update

    def __call__(self, model: Program, guide: Program) -> WakeSleepLoss:
        """Return the objective of a model and a guide as a module with their parameters."""
        return WakeSleepLoss(self, model, guide)


class WakeSleepLoss(VariationalObjective):
    """The losses of model and guide; built by :class:`WakeSleep`.

    The players are "model" and "guide" where the two programs have parameters of their own each. Programs that share a module,
    such as ``vae.model`` and ``vae.guide``, have one player for everything: the sum of the two losses then gives both their
    gradients, since neither loss depends on the parameters that the other's program alone has.

    Args:
        estimator: How to estimate.
        model: The generative program; a module, a bound method of a module, or a function without parameters.
        guide: The variational program.

    Raises:
        ValueError: on a call, when the sites of model and guide don't match, a scale would stand inside the weights, an
            unknown player is named, or the sleep phase cannot find what it should dream.

    Example:
        >>> from torch import nn
        >>> from probgen.infer import WakeSleep
        >>> {name: len(player.parameters) for name, player in WakeSleep(5)(nn.Linear(1, 1), nn.Linear(1, 1)).players.items()}
        {'model': 2, 'guide': 2}
    """

    def __init__(self, estimator: WakeSleep, model: Program, guide: Program) -> None:
        super().__init__(model, guide, estimator.particles)
        self.estimator = estimator

    @property
    def players(self) -> Mapping[str, Player]:
        """Those of the two programs, or one for both where they share parameters."""
        model, guide = _parameters(self.model), _parameters(self.guide)
        if not model or not guide or {id(p) for p in model} & {id(p) for p in guide}:
            return super().players
        return {"model": Player(model), "guide": Player(guide)}

    def forward(self, *args: Any, player: str | None = None, **kwargs: Any) -> Tensor:
        """Return the loss of one player, by default the sum of both: a scalar in nats."""
        if player not in (None, "model", "guide"):
            raise ValueError(f"`player` must be 'model' or 'guide'; got {player!r}.")
        with module_parameters_only(self):
            return self._of_player(None if len(self.players) == 1 else player, args, kwargs)

    def _of_player(self, player: str | None, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor:
        update = self.estimator.guide_update
        losses = []
        if player != "guide" or update != "sleep":
            losses.append(self._wake(args, kwargs, player))
        if player != "model" and update != "wake":
            losses.append(self._sleep(args, kwargs) * (1.0 if update == "sleep" else 0.5))
        return sum(losses[1:], losses[0])

    def _wake(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], player: str | None) -> Tensor:
        with self.particles.plate():
            weights = LogWeights.stacked([self._pass(args, kwargs) for _ in range(self.particles.passes)])
        share = {"wake": 1.0, "both": 0.5, "sleep": 0.0}[self.estimator.guide_update]
        normalized = weights.normalized()
        terms = [] if player == "guide" else [weights.log_joint]
        if player != "model" and share:
            terms.append(share * weights.log_guide)
        return -sum((weights.total((normalized * term).sum(0)) for term in terms), normalized.new_zeros(()))

    def _pass(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> LogWeights:
        guide_sites, draws = self._draw(args, kwargs, detach=True)
        return log_weights(self._score(args, kwargs, guide_sites, draws), guide_sites, self.particles)

    def _sleep(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor:
        """Minus the guide's log-density of the model's own latents, given the model's own data."""
        with torch.no_grad(), _Dream() as dream:
            dreamt, indices = run_program(self.model, args, kwargs, owned=self._owns)
        draws = {name: site.value for name, site in dreamt.items()}
        dream_args, dream_kwargs = dream.replaced(args, kwargs, draws)
        guide = cast(Program, self.guide)
        sites, _ = run_program(guide, dream_args, dream_kwargs, draws={**draws, **indices}, owned=self._owns)
        terms = [site.negative_log_prob_sum() for site in sites.values() if not site.observed]
        return sum(terms[1:], terms[0])


class _Dream(Messenger):
    """Draw what the model observes, and remember which data that replaces."""

    def __init__(self) -> None:
        super().__init__()
        self.data: dict[str, Any] = {}

    def _pyro_sample(self, msg: Any) -> None:
        if not msg["is_observed"] or msg["infer"].get("_deterministic"):
            return
        if msg["infer"].get("is_auxiliary"):
            raise ValueError(f"the model's factor {msg['name']!r} cannot be drawn; use guide_update='wake'.")
        self.data[msg["name"]] = msg["value"]
        msg["is_observed"], msg["value"], msg["done"] = False, None, False

    def replaced(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], draws: Mapping[str, Tensor]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments of the call with the draws in the place of the data.

        Raises:
            ValueError: data of a site are not among the arguments.
        """
        name_of = {id(value): name for name, value in self.data.items()}
        found = set()

        def replace(argument: Tensor) -> Tensor:
            name = name_of.get(id(argument))
            if name is None:
                return argument
            found.add(name)
            return draws[name]

        replaced = torch.utils._pytree.tree_map_only(Tensor, replace, (args, dict(kwargs)))
        lost = [name for name in self.data if name not in found]
        if lost:
            raise ValueError(
                f"the data of the sites {lost} are not among the arguments of the call, so the guide cannot be given the "
                "model's draws; pass the observed tensors themselves, or use guide_update='wake'."
            )
        return replaced  # type: ignore[no-any-return]


def _parameters(program: Program | None) -> tuple[nn.Parameter, ...]:
    return tuple(nn.ModuleList(program_modules(program)).parameters())
