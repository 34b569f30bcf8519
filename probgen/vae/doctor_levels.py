r"""The doctor's look at groups of latents, from the Pyro programs of a model.

The protocol is the pair of programs ``model`` and ``guide``: run on the data they say, for every latent site, the posterior
:math:`q(z_l \mid z_{<l}, x)`, the prior :math:`p(z_l \mid z_{<l})` and a draw. So one vector, a conditional model and any
hierarchy are examined alike. Statistics that depend on draws of other levels are averaged over several.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyro
import torch
from torch import Tensor

from probgen.distributions.events import coordinates, scored
from probgen.distributions.latent import aggregate_posterior, divergence_at, rate_terms
from probgen.distributions.latent.divergence import coordinate_divergences
from probgen.distributions.latent.information import variance_of_means
from probgen.infer.site_divergence import integrable
from probgen.infer.trace import Site
from probgen.vae.diagnosis import DecoderDiagnosis, LevelDiagnosis

__all__ = ["LatentPass", "decoder_diagnosis", "latent_passes", "level_diagnoses"]

Programs = Callable[..., tuple[dict[str, Site], dict[str, Site]]]


@dataclass(frozen=True)
class LatentPass:
    """One draw of all latents for all data.

    Attributes:
        posterior: Site name to site of the guide, in its order; only sites that are latent in the model.
        prior: The same sites in the model, in its order.
        data: The observed sites of the model.
        integrable: The sites whose divergence given the draws before them may be taken in closed form.

    Example:
        >>> from probgen.vae.doctor_levels import LatentPass
        >>> LatentPass({}, {}, {}, frozenset()).names
        ()
    """

    posterior: dict[str, Site]
    prior: dict[str, Site]
    data: dict[str, Site]
    integrable: frozenset[str]

    @property
    def names(self) -> tuple[str, ...]:
        """The latent sites, in the order of the guide."""
        return tuple(self.posterior)

    def reconstruction(self) -> Tensor:
        """Log-likelihood of every datum given the latents, ``[n]``."""
        return torch.stack([scored(site.fn, site.value) for site in self.data.values()]).sum(0)


def latent_passes(sites: Programs, args: tuple[Tensor, ...], num_draws: int) -> list[LatentPass]:
    """Run guide and model several times.

    Args:
        sites: Runs both once and returns the sites of the model and of the guide.
        args: What they take.
        num_draws: How many times.

    Raises:
        ValueError: the model has no latent site that the guide draws, or a site has other batch dimensions than the data.

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> from probgen.vae.doctor_levels import latent_passes
        >>> vae, x = pg.vae.mlp_vae((4,), latent=2), torch.zeros(5, 4)
        >>> passes = latent_passes(vae.loss().sites, (x,), num_draws=3)
        >>> len(passes), passes[0].names, passes[0].reconstruction().shape
        (3, ('z',), torch.Size([5]))
    """
    passes = []
    for _ in range(num_draws):
        with torch.no_grad():
            model_sites, guide_sites = sites(*args)
        names = [name for name, site in guide_sites.items() if name in model_sites and not site.observed]
        if not names:
            raise ValueError("the model has no latent site that its guide draws.")
        for name in names:
            if tuple(guide_sites[name].fn.batch_shape) != (len(args[0]),):
                shape = tuple(guide_sites[name].fn.batch_shape)
                raise ValueError(f"the site {name!r} must have batch shape [{len(args[0])}], one row a datum; got {shape}.")
        passes.append(
            LatentPass(
                {name: guide_sites[name] for name in names},
                {name: site for name, site in model_sites.items() if name in names},
                {name: site for name, site in model_sites.items() if site.observed},
                integrable(model_sites, guide_sites),
            )
        )
    return passes


def level_diagnoses(passes: list[LatentPass], prior_of_one: Any | None) -> tuple[LevelDiagnosis, ...]:
    """The statistics of every level.

    Args:
        passes: Draws of all latents.
        prior_of_one: The prior of the first level for one datum, with batch shape [1] or []; None if it depends on the datum.

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> from probgen.vae.doctor_levels import latent_passes, level_diagnoses
        >>> vae, x = pg.vae.mlp_vae((4,), latent=2), torch.zeros(5, 4)
        >>> passes = latent_passes(vae.loss().sites, (x,), num_draws=3)
        >>> (level,) = level_diagnoses(passes, vae.latent_law())
        >>> level.name, level.num_units, level.num_active  # five data that are all the same
        ('z', 2, 0)
    """
    top = next(iter(passes[0].prior))
    return tuple(
        _level(name, passes, prior_of_one if name == top else None, first=index == 0)
        for index, name in enumerate(passes[0].names)
    )


def decoder_diagnosis(model: Callable[..., Any], args: tuple[Tensor, ...], drawn: LatentPass) -> DecoderDiagnosis:
    """How much the decoder relies on the codes, and whether the variance of a normal one leaves anything for them to say.

    Args:
        model: The generative program.
        args: What it takes.
        drawn: A pass through both programs.

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> from probgen.vae.doctor_levels import decoder_diagnosis, latent_passes
        >>> vae, x = pg.vae.mlp_vae((4,), latent=2), torch.zeros(5, 4)
        >>> passes = latent_passes(vae.loss().sites, (x,), num_draws=3)
        >>> decoder_diagnosis(vae.model, (x,), passes[0]).variance is None  # the decoder is not normal
        True
    """
    swapped = {name: site.value.roll(1, 0) for name, site in drawn.posterior.items()}
    with torch.no_grad():
        trace = pyro.poutine.trace(pyro.poutine.condition(model, data=swapped)).get_trace(*args)
    laws: dict[str, Any] = {name: trace.nodes[name]["fn"] for name in drawn.data}
    others = torch.stack([scored(laws[name], site.value) for name, site in drawn.data.items()]).sum(0)
    reliance = float((drawn.reconstruction() - others).mean())
    site = next(iter(drawn.data.values()))
    law = coordinates(site.fn)
    if len(drawn.data) > 1 or not isinstance(law, torch.distributions.Normal):
        return DecoderDiagnosis(reliance)
    variance = float(law.variance.mean())
    x = site.value.reshape(len(site.value), -1).double()
    eigenvalues = torch.linalg.eigvalsh(torch.cov(x.mT, correction=0).reshape(x.shape[1], x.shape[1]))
    residual = float((site.value - law.mean).square().mean())
    return DecoderDiagnosis(reliance, variance, residual, int((eigenvalues > variance).sum()))


def _level(name: str, passes: list[LatentPass], prior_of_one: Any | None, *, first: bool) -> LevelDiagnosis:
    per_unit, per_level, means = [], [], []
    for drawn in passes:
        q, p, z = drawn.posterior[name].fn, drawn.prior[name].fn, drawn.posterior[name].value
        closed_form = name in drawn.integrable
        units = coordinate_divergences(q, p, z, closed_form=closed_form)
        per_unit += [] if units is None else [units.mean(0)]
        whole = divergence_at(q, p, z, closed_form=closed_form).mean() if units is None else units.mean(0).sum()
        per_level.append(float(whole))
        means.append(q.mean if _has_mean(q) else z)
    divergence = sum(per_level) / len(per_level)
    information = _information(passes[0].posterior[name].fn, prior_of_one) if first else None
    return LevelDiagnosis(
        name,
        variance_of_means(torch.stack(means)).clamp_min(0.0),
        torch.stack(per_unit).mean(0) if len(per_unit) == len(passes) else None,
        divergence,
        information,
        divergence - information if information is not None and prior_of_one is not None else None,
    )


def _information(q: Any, prior_of_one: Any | None) -> float:
    terms = rate_terms(q, aggregate_posterior(q) if prior_of_one is None else prior_of_one)
    return float(terms.mutual_information.value)


def _has_mean(law: Any) -> bool:
    try:
        return isinstance(law.mean, Tensor)
    except NotImplementedError:
        return False
