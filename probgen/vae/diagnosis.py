r"""What the doctor found: the bound of a variational autoencoder, taken apart.

.. math::

    \log p(x) = \underbrace{\mathbb E_q \log p(x \mid z)}_{\text{reconstruction}} - \underbrace{\mathrm{KL}(q(z \mid x) \,\|\,
    p(z))}_{ I_q(x; z)\, +\, \mathrm{KL}(q(z) \| p(z)) \text{ on average}} + \underbrace{\bigl(\mathrm{ELBO}^\ast -
    \mathrm{ELBO}\bigr)}_{ \text{amortization gap}} + \underbrace{\bigl(\log p(x) -
    \mathrm{ELBO}^\ast\bigr)}_{\text{approximation gap}},

where :math:`\mathrm{ELBO}^\ast` is the bound at the best member of the posterior's family for this very datum. The objects here
hold numbers and print them; ``probgen.vae.diagnose`` makes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Tensor

__all__ = ["ACTIVE", "Advice", "CodebookDiagnosis", "DecoderDiagnosis", "Diagnosis", "Gaps", "LevelDiagnosis", "Mean"]

ACTIVE = 0.01
"""A unit is active if the variance of its posterior mean over the data exceeds this (Burda et al. 2016)."""

_COLLAPSED = 0.1  # nats of information


class Mean(NamedTuple):
    """A mean over data with its standard error, in nats.

    Attributes:
        value: The mean.
        stderr: Its standard error.

    Example:
        >>> from probgen.vae.diagnosis import Mean
        >>> print(Mean(1.5, 0.25))
        1.500 ± 0.250
    """

    value: float
    stderr: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ± {self.stderr:.3f}"


@dataclass(frozen=True)
class LevelDiagnosis:
    r"""One group of latents.

    Attributes:
        name: Name of its site.
        activity: Variance over the data of the posterior mean of every unit, ``[units]``.
        unit_divergences: Mean KL of every unit from its prior in nats, ``[units]``; None where units are not independent.
        divergence: Mean KL of the level in nats, given the levels drawn before it.
        information: Mutual information :math:`I_q(x; z)` of datum and code in nats; None for levels below another one, whose
            ``divergence`` is what they say beyond it.
        marginal_divergence: :math:`\mathrm{KL}(q(z) \,\|\, p(z))` in nats: ``divergence - information``; None as above and for
            conditional models.

    Example:
        >>> import torch
        >>> from probgen.vae import LevelDiagnosis
        >>> LevelDiagnosis("z", torch.tensor([0.9, 0.0]), None, 1.2, 1.1, 0.1).num_active
        1
    """

    name: str
    activity: Tensor
    unit_divergences: Tensor | None
    divergence: float
    information: float | None
    marginal_divergence: float | None

    @property
    def num_units(self) -> int:
        """How many units the level has."""
        return self.activity.numel()

    @property
    def active(self) -> Tensor:
        """Which units are active, ``[units]``."""
        return self.activity > ACTIVE

    @property
    def num_active(self) -> int:
        """How many units are active."""
        return int(self.active.sum())


@dataclass(frozen=True)
class Gaps:
    """What the bound loses, in nats; means over ``num_data`` data.

    Attributes:
        num_data: How many data were looked at.
        elbo: The bound with the encoder's posterior.
        optimized_elbo: The bound after the posterior was optimized for every datum; None where that was not possible.
        evidence: The estimate of log p(x), itself a lower bound.
        amortization: ``optimized_elbo - elbo``: what the encoder loses by answering at once; None as above.
        approximation: ``evidence - optimized_elbo``: what the family of posteriors loses, at least; None as above.
        inference: ``evidence - elbo``: their sum.

    Example:
        >>> from probgen.vae import Gaps
        >>> from probgen.vae.diagnosis import Mean
        >>> print(Gaps(8, Mean(-20.0, 0.5), None, Mean(-18.0, 0.5), None, None, Mean(2.0, 0.1)).inference)
        2.000 ± 0.100
    """

    num_data: int
    elbo: Mean
    optimized_elbo: Mean | None
    evidence: Mean
    amortization: Mean | None
    approximation: Mean | None
    inference: Mean


@dataclass(frozen=True)
class DecoderDiagnosis:
    r"""How the decoder uses its codes.

    Attributes:
        reliance: Nats by which the data are predicted worse from the codes of *another* datum: zero if the decoder ignores
            them.
        variance: Mean variance :math:`\sigma^2` of a normal decoder, else None.
        residual_variance: Mean squared error around its mean, what the variance would be if it were fitted, else None.
        directions: How many principal directions of the data have a variance above :math:`\sigma^2`: so many units would be of
            use to a linear decoder; None if the decoder is not normal.

    Example:
        >>> from probgen.vae import DecoderDiagnosis
        >>> DecoderDiagnosis(0.0, 32.0, 0.07, 0).directions
        0
    """

    reliance: float
    variance: float | None = None
    residual_variance: float | None = None
    directions: int | None = None


@dataclass(frozen=True)
class CodebookDiagnosis:
    """How the codes of a vector-quantized model are used.

    Attributes:
        size: How many codes there are.
        perplexity: The exponential of the entropy of their use: the number of codes that are used evenly.

    Example:
        >>> from probgen.vae import CodebookDiagnosis
        >>> CodebookDiagnosis(64, 12.5).perplexity
        12.5
    """

    size: int
    perplexity: float


@dataclass(frozen=True)
class Advice:
    """What is wrong, what to do, and with what.

    Attributes:
        finding: What was found, one sentence.
        remedy: What to do about it.
        objects: Ready values for it, such as ``FreeBits(0.5)``; the first is what we would try first.

    Example:
        >>> from probgen.infer import Annealed
        >>> from probgen.vae import Advice
        >>> print(Advice("The posterior has collapsed.", "Anneal the weight of the divergence.", (Annealed(0.0, 1.0, 1000),)))
        The posterior has collapsed. Anneal the weight of the divergence.
    """

    finding: str
    remedy: str
    objects: tuple[Any, ...] = ()

    def __str__(self) -> str:
        return f"{self.finding} {self.remedy}"


@dataclass(frozen=True)
class Diagnosis:
    """The findings about a model on some data; ``print`` gives a table with advice, ``probgen.plot.diagnosis`` a picture.

    Attributes:
        num_data: How many data were looked at.
        reconstruction: Mean log-likelihood given the code, in nats.
        elbo: Mean bound, in nats.
        levels: The groups of latents, in the order in which the posterior draws them.
        decoder: How the decoder uses its codes; None for vector-quantized models.
        gaps: What inference loses; None if it was not measured.
        codebook: The use of codes, for vector-quantized models.
        advice: What to do, most urgent first.

    Example:
        >>> import torch
        >>> from probgen.vae import Diagnosis, LevelDiagnosis
        >>> level = LevelDiagnosis("z", torch.tensor([0.9, 0.0]), torch.tensor([1.2, 0.0]), 1.2, 1.1, 0.1)
        >>> print(Diagnosis(100, -17.0, -18.2, (level,)))
        100 data: ELBO -18.200 = reconstruction -17.000 - divergence 1.200 nats
        <BLANKLINE>
        level  active units      KL  information  KL(q(z)||p(z))
        z             1 / 2   1.200        1.100           0.100
        <BLANKLINE>
        KL of units: 1.200 0.000
    """

    num_data: int
    reconstruction: float
    elbo: float
    levels: tuple[LevelDiagnosis, ...]
    decoder: DecoderDiagnosis | None = None
    gaps: Gaps | None = None
    codebook: CodebookDiagnosis | None = None
    advice: tuple[Advice, ...] = ()

    @property
    def num_active(self) -> int:
        """Active units of all levels."""
        return sum(level.num_active for level in self.levels)

    @property
    def num_units(self) -> int:
        """Units of all levels."""
        return sum(level.num_units for level in self.levels)

    @property
    def divergence(self) -> float:
        """Mean KL of all levels, in nats."""
        return sum(level.divergence for level in self.levels)

    @property
    def information(self) -> float:
        """Nats that the codes tell about their data: the mutual information of the first level, and what the others add."""
        return sum(level.divergence if level.information is None else level.information for level in self.levels)

    @property
    def collapsed(self) -> bool:
        """Whether the codes say next to nothing: no active unit, or less than a tenth of a nat of information."""
        return bool(self.levels) and (self.num_active == 0 or self.information < _COLLAPSED)

    def __str__(self) -> str:
        parts = [_head(self), *([_level_table(self.levels)] if self.levels else [])]
        units = [_unit_line(level, alone=len(self.levels) == 1) for level in self.levels if level.unit_divergences is not None]
        parts += ["\n".join(units)] if units else []
        details = [*_decoder_lines(self.decoder), *_gap_lines(self.gaps), *_codebook_lines(self.codebook)]
        parts += ["\n".join(details)] if details else []
        parts += ["\n".join(f"* {advice}" for advice in self.advice)] if self.advice else []
        return "\n\n".join(parts)


def _head(found: Diagnosis) -> str:
    return (
        f"{found.num_data} data: ELBO {found.elbo:.3f} = reconstruction {found.reconstruction:.3f} "
        f"- divergence {found.reconstruction - found.elbo:.3f} nats"
    )


def _level_table(levels: tuple[LevelDiagnosis, ...]) -> str:
    width = max(5, *(len(level.name) for level in levels))
    lines = [f"{'level':{width}}  active units      KL  information  KL(q(z)||p(z))"]
    for level in levels:
        information, marginal = (_number(value) for value in (level.information, level.marginal_divergence))
        units = f"{level.num_active} / {level.num_units}"
        lines.append(f"{level.name:{width}}  {units:>12}  {_number(level.divergence):>6}  {information:>11}  {marginal:>14}")
    return "\n".join(lines)


def _unit_line(level: LevelDiagnosis, *, alone: bool) -> str:
    values = [] if level.unit_divergences is None else sorted(level.unit_divergences.flatten().tolist(), reverse=True)
    shown = " ".join(f"{value:.3f}" for value in values[:16]) + (f" ... ({len(values)} in all)" if len(values) > 16 else "")
    return f"KL of units{'' if alone else ' of ' + level.name}: {shown}"


def _decoder_lines(decoder: DecoderDiagnosis | None) -> list[str]:
    if decoder is None:
        return []
    lines = [f"codes of other data cost {decoder.reliance:.3f} nats"]
    if decoder.variance is not None:
        lines.append(
            f"decoder variance {decoder.variance:.4g}, its squared error {decoder.residual_variance:.4g}; "
            f"directions of the data above it: {decoder.directions}"
        )
    return lines


def _gap_lines(gaps: Gaps | None) -> list[str]:
    if gaps is None:
        return []
    lines = [f"gaps on {gaps.num_data} data: ELBO {gaps.elbo}, log p(x) >= {gaps.evidence}, inference gap {gaps.inference}"]
    if gaps.amortization is not None:
        lines.append(f"  amortization gap {gaps.amortization}, approximation gap {gaps.approximation} nats")
    return lines


def _codebook_lines(codebook: CodebookDiagnosis | None) -> list[str]:
    return [] if codebook is None else [f"codebook: {codebook.perplexity:.1f} of {codebook.size} codes used (perplexity)"]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{round(value, 3) + 0.0:.3f}"  # no negative zeros
