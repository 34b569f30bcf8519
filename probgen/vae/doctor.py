r"""The posterior-collapse doctor: one call that takes the bound of a model apart and says what to do.

A collapsed posterior, :math:`q(z \mid x) = p(z)`, is a fixed point of training: the decoder has learned to ignore codes that
say nothing, and the encoder has no reason to say anything to a decoder that ignores it. The loss does not show it; the
quantities here do. See the page "Posterior collapse" (``docs/derivations/vae-collapse.md``).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from probgen.distributions._seeding import random_stream
from probgen.distributions.events import scored
from probgen.infer import ELBO
from probgen.infer.evaluation_mode import evaluating
from probgen.vae.diagnosis import CodebookDiagnosis, Diagnosis
from probgen.vae.doctor_advice import advise
from probgen.vae.doctor_gaps import Evidence, inference_gaps
from probgen.vae.doctor_levels import LatentPass, decoder_diagnosis, latent_passes, level_diagnoses

__all__ = ["diagnose"]


def diagnose(
    vae: Any,
    x: Tensor,
    context: Tensor | None = None,
    *,
    num_draws: int = 8,
    gap_data: int = 32,
    gap_steps: int = 200,
    evidence: Evidence | None = None,
    training_steps: int = 2000,
    seed: int = 0,
) -> Diagnosis:
    """Examine a variational autoencoder on data: active units, information, gaps, the use of codes, and advice.

    What is needed of the model is a pair of Pyro programs, ``model`` and ``guide``, with one row a datum; gaps need
    ``distribution``, too. Of a vector-quantized model, which has ``perplexity`` and ``num_codes`` instead of a guide, the use
    of codes is examined. Nothing is trained, and parameters, modes and the global random state stay as they were.

    Args:
        vae: The model.
        x: Data ``[n, *event]``, some hundreds; the mutual information that n data can show is at most log n.
        context: Shape ``[n, *context_shape]``, if the model takes one.
        num_draws: Draws of the latents that are averaged.
        gap_data: How many of the data the gaps are measured on; 0 to leave them out.
        gap_steps: Steps of the optimization of every datum's posterior.
        evidence: Estimates log p(x) from a law and data, such as ``annealed_estimate`` of ``probgen.distributions.latent``; by
            default importance sampling from the best posterior that was found.
        training_steps: How long the next training will take; schedules in the advice are made for it.
        seed: Of all draws.

    Returns:
        The findings with advice; ``print`` them.

    Raises:
        ValueError: fewer than two data, ``num_draws`` is not positive, or the programs do not fit the protocol.

    References:
        Burda, Grosse, Salakhutdinov (2016). Importance weighted autoencoders. https://arxiv.org/abs/1509.00519
        Hoffman, Johnson (2016). ELBO surgery. http://approximateinference.org/accepted/HoffmanJohnson2016.pdf
        Cremer, Li, Duvenaud (2018). Inference suboptimality in variational autoencoders. https://arxiv.org/abs/1801.03558

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> from probgen.distributions.elements import NormalElement
        >>> _ = torch.manual_seed(0)
        >>> x = torch.randn(200, 4)
        >>> vae = pg.vae.mlp_vae((4,), latent=2, element=NormalElement(10.0))  # before training
        >>> found = pg.vae.diagnose(vae, x, gap_data=0)
        >>> found.decoder.directions, found.advice[0].objects[0]  # no direction of the data has a variance above 100
        (0, NormalElement(scale='shared'))
    """
    if len(x) < 2 or num_draws < 1:
        raise ValueError(f"at least two data and one draw are needed; got {len(x)} and `num_draws={num_draws}`.")
    args = (x,) if context is None else (x, context)
    with evaluating(vae), random_stream(seed, x.device), torch.no_grad():
        codebook = _codebook(vae, x)
        if codebook is not None and not hasattr(vae, "guide"):
            found = _quantized(vae, x, codebook)
        else:
            sites = ELBO()(vae.model, vae.guide).sites
            passes = latent_passes(sites, args, num_draws)
            levels = level_diagnoses(passes, _prior_of_one(sites, passes[0], x, context))
            reconstruction = sum(float(drawn.reconstruction().mean()) for drawn in passes) / num_draws
            elbo = reconstruction - sum(level.divergence for level in levels)
            decoder = decoder_diagnosis(vae.model, args, passes[0])
            found = Diagnosis(len(x), reconstruction, elbo, levels, decoder, codebook=codebook)
            if gap_data > 0 and hasattr(vae, "distribution"):
                law = vae.distribution() if context is None else vae.distribution(context[:gap_data])
                found = replace(found, gaps=inference_gaps(law, x[:gap_data], steps=gap_steps, evidence=evidence))
    return replace(found, advice=advise(found, training_steps))


def _prior_of_one(sites: Any, drawn: LatentPass, x: Tensor, context: Tensor | None) -> Any | None:
    """The prior of the model's first latent, with batch shape [1]; None if it may depend on the datum's context."""
    if context is not None:
        return None
    return sites(x[:1])[0][next(iter(drawn.prior))].fn


def _quantized(vae: Any, x: Tensor, codebook: CodebookDiagnosis) -> Diagnosis:
    """The bound of a model whose posterior is a point: log p(x | code) + log p(code)."""
    law = vae.distribution()
    codes = law.posterior(x).sample()
    reconstruction = scored(law.decoder(codes), x)
    bound = reconstruction + scored(law.prior, codes)
    return Diagnosis(len(x), float(reconstruction.mean()), float(bound.mean()), (), codebook=codebook)


def _codebook(vae: Any, x: Tensor) -> CodebookDiagnosis | None:
    if not hasattr(vae, "perplexity"):
        return None
    return CodebookDiagnosis(int(vae.num_codes), float(vae.perplexity(x)))
