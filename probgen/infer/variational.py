r"""What objectives of a model and a guide share: running the two programs, one draw or many.

A *guide* :math:`q_\phi(z \mid x)` draws the latents, a *model* :math:`p_\theta(x, z)` is run with its draws. Both are modules,
bound methods of modules, these with a handler of ``pyro.poutine`` or ``functools.partial`` around them, or functions without
parameters; the objective holds their parameters. Several draws, the *particles*, come from one pass in a plate to the left of
all others, or from a loop.

The guide can be run a second time at the same draws with all parameters as constants: its density then depends on the
parameters only through the draws, which removes the score :math:`\nabla_\phi \log q_\phi(z)`, whose expectation is zero, from a
gradient. This is right for guides of any structure, since every factor :math:`q(z_i \mid z_{<i}, x)` is evaluated with the
draws as its arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyro
import torch
from torch import Tensor, nn

from probgen.infer.objective import Objective, Player, only_player
from probgen.infer.pyro_modules import module_parameters_only
from probgen.infer.trace import Site, run_program

__all__ = ["Particles", "Program", "VariationalObjective", "program_modules", "require_reparameterized"]

Program = Callable[..., Any]
Sites = dict[str, Site]
PLATE = "_particles"


@dataclass(frozen=True)
class Particles:
    """How many draws of the latents, and how they are made.

    Attributes:
        number: How many draws.
        vectorize: In one pass, in a plate to the left of all others, instead of a loop.
        max_plate_nesting: With ``vectorize``, the largest number of batch dimensions in the programs.

    Raises:
        ValueError: ``number`` is not positive, or ``max_plate_nesting`` is negative.

    Example:
        >>> from probgen.infer.variational import Particles
        >>> Particles(10).dim, Particles(10, vectorize=False).dim
        (-2, None)
    """

    number: int = 1
    vectorize: bool = True
    max_plate_nesting: int = 1

    def __post_init__(self) -> None:
        if self.number < 1:
            raise ValueError(f"`particles` must be at least 1; got {self.number}.")
        if self.max_plate_nesting < 0:
            raise ValueError(f"`max_plate_nesting` must not be negative; got {self.max_plate_nesting}.")

    @property
    def dim(self) -> int | None:
        """The dimension of the particles in a pass, or None where each has a pass of its own."""
        return -self.max_plate_nesting - 1 if self.vectorize and self.number > 1 else None

    @property
    def passes(self) -> int:
        """How many times the programs run."""
        return self.number if self.dim is None else 1

    def plate(self) -> AbstractContextManager[Any]:
        """The plate of the particles, where they share a pass."""
        return nullcontext() if self.dim is None else pyro.plate(PLATE, self.number, dim=self.dim)

    def check(self, sites: Mapping[str, Site]) -> None:
        """Refuse programs with more batch dimensions than were declared.

        Raises:
            ValueError: naming the site.
        """
        if self.dim is None:
            return
        for site in sites.values():
            if any(frame.dim is not None and frame.dim < self.dim for frame in site.frames):
                raise ValueError(
                    f"the site {site.name!r} lies in more plates than `max_plate_nesting={self.max_plate_nesting}`; raise it."
                )


class VariationalObjective(Objective):
    """A loss of a model and a guide (abstract); the call passes its arguments to both programs.

    A subclass writes ``_loss(args, kwargs)``, from :meth:`_draw`, :meth:`_score` and, for densities at constant parameters,
    :meth:`_frozen_guide`. It returns a scalar in nats and reads no tensor value on the host, so that it can be compiled.

    Args:
        model: The generative program; a module, a bound method of a module, or a function without parameters.
        guide: The variational program, or None.
        particles: How many draws.

    Raises:
        ValueError: on a call, when the sites of model and guide don't match, or a ``pyro.param`` statement is used.

    Example:
        >>> import pyro
        >>> import pyro.distributions as dist
        >>> from probgen.infer.variational import VariationalObjective
        >>> class CrossEntropy(VariationalObjective):
        ...     def _loss(self, args, kwargs):
        ...         guide_sites, draws = self._draw(args, kwargs)
        ...         return self._score(args, kwargs, guide_sites, draws)["z"].negative_log_prob_sum()
        >>> def program():
        ...     return pyro.sample("z", dist.Uniform(0.0, 2.0))
        >>> CrossEntropy(program, program)()  # log 2
        tensor(0.6931)
    """

    def __init__(self, model: Program, guide: Program | None = None, particles: Particles | None = None) -> None:
        super().__init__()
        self.model = model
        self.guide = guide
        self.particles = particles or Particles()
        for name, program in (("model", model), ("guide", guide)):
            for number, owner in enumerate([] if isinstance(program, nn.Module) else program_modules(program)):
                self.add_module(f"{name}_module" + (f"_{number + 1}" if number else ""), owner)

    def _loss(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} does not define `_loss`.")

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        """Return the loss on one batch: a scalar in nats."""
        with module_parameters_only(self):
            return self._loss(args, kwargs)

    def sites(self, *args: Any, **kwargs: Any) -> tuple[Sites, Sites]:
        """Run guide and model once; return the sites of the model and of the guide, in order."""
        with module_parameters_only(self):
            guide_sites, draws = self._draw(args, kwargs)
            return self._score(args, kwargs, guide_sites, draws), guide_sites

    # ------------------------------------------------------------------------------------------------------- running programs

    def _draw(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], *, detach: bool = False
    ) -> tuple[Sites, dict[str, Tensor]]:
        """Run the guide: its sites, and everything that it drew (also the indices of plates); ``detach``: without a path."""
        if self.guide is None:
            return {}, {}
        sites, draws = run_program(self.guide, args, kwargs, owned=self._owns, detach=detach)
        return sites, draws | {name: site.value for name, site in sites.items() if not site.observed}

    def _score(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], guide_sites: Sites, draws: Mapping[str, Tensor]
    ) -> Sites:
        """Run the model with the guide's draws: its sites."""
        given = frozenset(name for name, site in guide_sites.items() if site.observed)
        sites, _ = run_program(self.model, args, kwargs, draws=draws, observed=given, owned=self._owns)
        _require_match(sites, guide_sites, has_guide=self.guide is not None)
        self.particles.check(sites)
        return sites

    def _frozen_guide(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], draws: Mapping[str, Tensor]) -> Sites:
        """Run the guide again at the same draws with parameters and arguments as constants: its sites."""
        if self.guide is None:
            return {}
        constant = torch.utils._pytree.tree_map_only(Tensor, Tensor.detach, (args, dict(kwargs)))
        with _constant_parameters(self), _without_dropout(self):
            sites = run_program(self.guide, *constant, draws=draws, owned=self._owns)[0]
            sites = {name: site if site.observed else site.with_log_prob() for name, site in sites.items()}
            if torch.is_grad_enabled() and not program_modules(self.guide):
                fixed = {name: value.detach() for name, value in draws.items()}
                _require_constant(run_program(self.guide, *constant, draws=fixed, owned=self._owns)[0])
        return sites

    def _owns(self, parameter: nn.Parameter) -> bool:
        return any(parameter is own for own in self.parameters())


def program_modules(program: Program | None) -> list[nn.Module]:
    """The modules that a program is made of, as far as can be seen: itself, its owner, or those that a partial call holds.

    Args:
        program: A module, a bound method, one of these with a handler of ``pyro.poutine`` or ``functools.partial`` around it,
            or any other function, which has none.

    Example:
        >>> from functools import partial
        >>> from pyro import poutine
        >>> from torch import nn
        >>> from probgen.infer.variational import program_modules
        >>> net = nn.Linear(1, 1)
        >>> [len(program_modules(p)) for p in (net, net.forward, partial(net, 2), poutine.scale(net, scale=2.0), len)]
        [1, 1, 1, 1, 0]
    """
    if isinstance(program, nn.Module):
        return [program]
    if isinstance(program, partial):
        parts = [found for part in (program.func, *program.args, *program.keywords.values()) for found in program_modules(part)]
        return list(dict.fromkeys(parts))
    owner = getattr(program, "__self__", None)
    return [owner] if isinstance(owner, nn.Module) else []


def require_reparameterized(sites: Mapping[str, Site]) -> None:
    """Refuse draws whose law has parameters that their gradient would miss.

    Args:
        sites: Those of the guide; what it observes is not drawn.

    Raises:
        ValueError: naming the site.

    Example:
        >>> import pyro.distributions as dist
        >>> import torch
        >>> from probgen.infer.trace import Site
        >>> from probgen.infer.variational import require_reparameterized
        >>> law = dist.Bernoulli(torch.tensor(0.5, requires_grad=True))
        >>> require_reparameterized({"k": Site("k", law, torch.ones(()), False, 1.0, None, False, ())})
        Traceback (most recent call last):
        ValueError: the guide's site 'k' (Bernoulli) has parameters but is not reparameterized, ...
    """
    if not torch.is_grad_enabled():
        return
    for site in sites.values():
        if site.observed or site.fn.has_rsample or not site.log_prob().requires_grad:
            continue
        raise ValueError(
            f"the guide's site {site.name!r} ({type(site.fn).__name__}) has parameters but is not reparameterized, so the "
            "gradient would miss a term; use a distribution with `has_rsample`, infer.WakeSleep, or pyro.infer.TraceGraph_ELBO."
        )


@contextmanager
def _constant_parameters(module: nn.Module) -> Iterator[None]:
    """Inside, no parameter of the module wants a gradient."""
    with only_player(module, Player(())):
        yield


@contextmanager
def _without_dropout(module: nn.Module) -> Iterator[None]:
    """Inside, a part that is run and drops units at random is refused: a second run would have another law than the first."""

    def refuse(name: str, part: nn.Module, _: Any) -> None:
        if part.training:
            raise ValueError(
                f"the guide must run twice alike for this gradient, but its part {name!r} drops units at random; put the "
                "part into eval mode, or use the ordinary gradient."
            )

    hooks = [
        part.register_forward_pre_hook(partial(refuse, name.partition(".")[2] or name))
        for name, part in module.named_modules()
        if _drops(part)
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _drops(part: nn.Module) -> bool:
    """Whether a module of torch drops units in training mode."""
    if isinstance(part, nn.modules.dropout._DropoutNd):
        return part.p > 0.0
    return isinstance(part, nn.RReLU) or (isinstance(part, (nn.MultiheadAttention, nn.RNNBase)) and part.dropout > 0.0)


def _require_constant(sites: Mapping[str, Site]) -> None:
    """Refuse a guide, run on constants, whose density still has parameters."""
    for site in sites.values():
        if not site.observed and site.log_prob().requires_grad:
            raise ValueError(
                f"the guide's site {site.name!r} has parameters that the objective does not hold, so they cannot be constants "
                "in this gradient; give the module itself, a bound method of it, or a functools.partial of these."
            )


def _require_match(model_sites: Mapping[str, Site], guide_sites: Mapping[str, Site], *, has_guide: bool) -> None:
    if not model_sites:
        raise ValueError("the model has no sample site: nothing to score.")
    if guide_sites.keys() == {name for name, site in model_sites.items() if not site.observed} and not any(
        site.observed for site in guide_sites.values()
    ):
        return
    missing = [name for name, site in model_sites.items() if not site.observed and name not in guide_sites]
    if missing:
        where = "the guide does not draw them" if has_guide else "there is no guide"
        raise ValueError(f"the model's sites {missing} are latent, but {where}; add them to the guide or observe them.")
    extra = [n for n, s in guide_sites.items() if n not in model_sites and not s.auxiliary]
    if extra:
        raise ValueError(
            f"the guide's sites {extra} are not in the model; mark them infer={{'is_auxiliary': True}} or remove them."
        )
    clash = [n for n, s in guide_sites.items() if n in model_sites and model_sites[n].observed and not s.observed]
    if clash:
        raise ValueError(f"the sites {clash} are observed in the model but drawn in the guide; remove them from the guide.")
