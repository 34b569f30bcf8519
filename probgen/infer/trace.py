r"""Running a pair of Pyro programs and keeping what an objective needs of each site.

A *guide* :math:`q(z \mid x)` is run first; the *model* :math:`p(x, z)` is run with the guide's draws. One light messenger
stands below every handler that the programs use, so plates, ``poutine.scale``, ``mask``, ``condition``, ``block``, ``infer``
dictionaries, ``obs_mask`` and factors keep their meaning. What comes back is a list of :class:`Site` with *per-datum* terms:
each has the batch shape of its site, before any sum and before the plate's :math:`N/B` scale.

Parameters belong to modules: a ``pyro.param`` statement that is not a module's parameter is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyro
import torch
from pyro.poutine.messenger import Messenger
from pyro.poutine.util import is_validation_enabled
from pyro.util import check_site_shape
from torch import Tensor, nn

from probgen.distributions.events import scored
from probgen.infer.pyro_modules import call_program

__all__ = ["Site", "run_program", "scale_and_mask"]

_SUBSAMPLE = "_Subsample"  # the private class of Pyro's plates' indices


@dataclass(slots=True)
class Site:
    """One ``pyro.sample`` statement as it ran.

    Attributes:
        name: The site's name.
        fn: Its distribution, expanded by the plates.
        value: The value drawn, observed or replayed.
        observed: Whether the value was given.
        scale: Product of the plates' N/B and of ``poutine.scale``.
        mask: Which elements count, or None for all.
        auxiliary: Whether ``infer={"is_auxiliary": True}`` (factors are).
        frames: The plates around the site.
        known: Its log-density, where that has been computed already.

    Example:
        >>> import pyro.distributions as dist
        >>> import torch
        >>> from probgen.infer.trace import Site
        >>> site = Site("x", dist.Normal(0.0, 1.0), torch.zeros(()), True, 10.0, None, False, ())
        >>> site.log_prob(), site.log_prob_sum()
        (tensor(-0.9189), tensor(-9.1894))
    """

    name: str
    fn: Any
    value: Tensor
    observed: bool
    scale: Tensor | float
    mask: Tensor | bool | None
    auxiliary: bool
    frames: tuple[Any, ...]
    known: Tensor | None = None

    def with_log_prob(self) -> Site:
        """The site with its log-density computed now: a bijector's parameters are those of this moment, free or constant."""
        return replace(self, known=self.log_prob())

    def log_prob(self) -> Tensor:
        """Log-density per datum (shape: the site's batch, nats), neither scaled nor masked."""
        if self.known is not None:
            return self.known
        log_prob: Tensor = scored(self.fn, self.value)
        if is_validation_enabled() and log_prob.numel():  # an empty batch has no plate: Pyro has none of size zero
            site: Any = {"name": self.name, "log_prob": log_prob, "cond_indep_stack": self.frames, "infer": {}}
            check_site_shape(site, float("inf"))  # type: ignore[arg-type]
        return log_prob

    def log_prob_sum(self) -> Tensor:
        """The scaled and masked log-density, summed: a scalar in nats."""
        return -self.negative_log_prob_sum()

    def negative_log_prob_sum(self) -> Tensor:
        """The scaled and masked negative log-density, summed, what a loss adds: a scalar in nats."""
        if self.known is None and self.is_plain() and not is_validation_enabled():
            fused = _fused_sum(self.fn, self.value)
            if fused is not None:
                return scale_and_mask(fused, self.scale, None)
        return -self.total(self.log_prob())

    def is_plain(self) -> bool:
        """Whether a sum over the data needs no mask and at most one number as its scale."""
        return self.mask is None and not isinstance(self.scale, Tensor)

    def total(self, term: Tensor) -> Tensor:
        """Sum a per-datum term with this site's scale and mask: a scalar in nats."""
        return scale_and_mask(term, self.scale, self.mask).sum()


class _Recorder(Messenger):
    """Keep the sites of one program; give latent sites the values of ``draws``."""

    def __init__(
        self,
        draws: Mapping[str, Tensor],
        observed: frozenset[str],
        owned: Callable[[nn.Parameter], bool],
        *,
        detach: bool,
    ) -> None:
        super().__init__()
        self.draws = draws
        self.observed = observed
        self.owned = owned
        self.detach = detach
        self.sites: dict[str, Site] = {}
        self.subsamples: dict[str, Tensor] = {}

    def _process_message(self, msg: Any) -> None:
        kind = msg["type"]
        if kind == "sample":
            if not msg["is_observed"]:
                self._replay(msg)
        elif kind == "param":
            self._check_parameter(msg)

    def _postprocess_message(self, msg: Any) -> None:
        if msg["type"] != "sample":
            return
        name, fn, infer = msg["name"], msg["fn"], msg["infer"]
        if type(fn).__name__ == _SUBSAMPLE:
            self.subsamples[name] = msg["value"]
            return
        if infer.get("_deterministic") or infer.get("_do_not_trace"):
            return
        if name in self.sites:
            raise ValueError(f"the sample site {name!r} occurs twice in one program; names must be unique.")
        if self.detach and not msg["is_observed"]:
            msg["value"] = msg["value"].detach()
        auxiliary = bool(infer.get("is_auxiliary"))
        self.sites[name] = Site(
            name, fn, msg["value"], msg["is_observed"], msg["scale"], msg["mask"], auxiliary, msg["cond_indep_stack"]
        )

    def _replay(self, msg: Any) -> None:
        name = msg["name"]
        if name in self.draws:
            msg["value"] = self.draws[name]
            msg["done"] = True
        elif name in self.observed:
            raise ValueError(
                f"the site {name!r} is observed in the guide but latent in the model; condition the model instead."
            )
        elif msg["value"] is None and type(msg["fn"]).__name__ == _SUBSAMPLE:
            msg["value"] = _all_indices(msg["fn"])
            msg["done"] = msg["value"] is not None

    def _check_parameter(self, msg: Any) -> None:
        if not _is_global_statement(msg):
            return
        value = msg["args"][1] if len(msg["args"]) > 1 else None
        if isinstance(value, nn.Parameter) and self.owned(value):  # a `pyro.module` statement for a module that is ours
            msg["value"], msg["done"] = value, True
            return
        raise ValueError(
            f"`pyro.param({msg['name']!r}, ...)` in a program: parameters must belong to the modules given to the objective, "
            "as nn.Parameter or PyroParam attributes of a PyroModule; the global parameter store is not used."
        )


def _all_indices(subsample: Any) -> Tensor | None:
    """The indices of a plate that takes everything (nothing is drawn, so nothing need be set up for it), else None."""
    size, drawn = subsample.size, subsample.subsample_size
    if subsample.use_cuda or (drawn is not None and drawn < size):
        return None
    return torch.arange(size, device=subsample.device)


def _fused_sum(fn: Any, value: Tensor) -> Tensor | None:
    """The summed negative log-density of independent Bernoulli pixels from one kernel, None for all else."""
    if type(fn) is pyro.distributions.Independent:
        fn = fn.base_dist
    if type(fn) is not pyro.distributions.Bernoulli or "logits" not in fn.__dict__ or fn.logits.shape != value.shape:
        return None
    return torch.nn.functional.binary_cross_entropy_with_logits(fn.logits, value, reduction="sum")


def _is_global_statement(msg: Any) -> bool:
    return getattr(msg["fn"], "__self__", None) is pyro.get_param_store()


def run_program(
    program: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    *,
    draws: Mapping[str, Tensor] | None = None,
    observed: frozenset[str] = frozenset(),
    owned: Callable[[nn.Parameter], bool] = lambda parameter: True,
    detach: bool = False,
) -> tuple[dict[str, Site], dict[str, Tensor]]:
    """Run a Pyro program and return its sites in order, and the indices that its plates drew.

    Args:
        program: A PyroModule or any callable with Pyro statements.
        args: Positional arguments of the program.
        kwargs: Keyword arguments of the program.
        draws: Values for latent sites (and plate indices), by name: what another program drew.
        observed: Sites that the other program observed; it is an error if they are latent here.
        owned: Whether a parameter belongs to the objective.
        detach: Give the program its own draws as constants, without the path of gradients to what they were drawn from.

    Raises:
        ValueError: a repeated site name, or a ``pyro.param`` statement outside a module.

    Example:
        >>> import pyro, torch
        >>> import pyro.distributions as dist
        >>> from probgen.infer.trace import run_program
        >>> sites, _ = run_program(lambda: pyro.sample("z", dist.Normal(0.0, 1.0)), (), {}, draws={"z": torch.tensor(0.0)})
        >>> sites["z"].log_prob()
        tensor(-0.9189)
    """
    recorder = _Recorder(draws or {}, observed, owned, detach=detach)
    with recorder:
        call_program(program, args, kwargs)
    return recorder.sites, recorder.subsamples


def scale_and_mask(term: Tensor, scale: Tensor | float, mask: Tensor | bool | None) -> Tensor:  # noqa: FBT001
    """Return ``scale * term`` where ``mask`` is true and zero elsewhere, without reading a value on the host.

    Args:
        term: Per-datum log-densities ``[*batch]``.
        scale: Positive number or tensor that broadcasts with ``term``.
        mask: Boolean tensor that broadcasts with ``term``, a bool, or None.

    Example:
        >>> import torch
        >>> from probgen.infer.trace import scale_and_mask
        >>> scale_and_mask(torch.tensor([1.0, 2.0]), 10.0, torch.tensor([True, False]))
        tensor([10.,  0.])
    """
    if mask is False:
        return torch.zeros_like(term)
    if isinstance(scale, Tensor) or scale != 1.0:
        term = term * scale
    if mask is None or mask is True:
        return term
    return torch.where(mask, term, term.new_zeros(()))
