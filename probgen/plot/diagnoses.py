"""One picture of what the doctor of variational autoencoders found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probgen.plot.figures import empty_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from probgen.vae import Diagnosis

__all__ = ["diagnosis"]

_ACTIVE, _INACTIVE, _THIRD = "#4477aa", "#bbbbbb", "#cc6677"


def diagnosis(found: Diagnosis) -> Figure:
    """Units, information and gaps in one figure: what ``print`` says of a diagnosis, to be seen at a glance.

    Left, the activity of every unit on a logarithmic scale, with the threshold; in the middle, the divergence of every unit;
    right, the way from the bound to the evidence.

    Args:
        found: From ``probgen.vae.diagnose``.

    Raises:
        ImportError: matplotlib is missing.

    Example:
        >>> import torch
        >>> from probgen.plot import diagnosis
        >>> from probgen.vae import Diagnosis, LevelDiagnosis
        >>> level = LevelDiagnosis("z", torch.tensor([0.9, 0.0]), torch.tensor([1.2, 0.0]), 1.2, 1.1, 0.1)
        >>> [axes.get_title() for axes in diagnosis(Diagnosis(100, -17.0, -18.2, (level,))).axes]
        ['1 of 2 units active', 'divergence 1.200 nats', 'bound and evidence']
    """
    figure = empty_figure(9.0, 2.6)
    left, middle, right = figure.subplots(1, 3, width_ratios=(1, 1, 1.3))
    _draw_activity(left, found)
    _draw_divergences(middle, found)
    _draw_evidence(right, found)
    figure.tight_layout()
    return figure


def _draw_activity(axes: Axes, found: Diagnosis) -> None:
    from probgen.vae.diagnosis import ACTIVE

    values = [value for level in found.levels for value in level.activity.flatten().tolist()]
    values.sort(reverse=True)
    colors = [_ACTIVE if value > ACTIVE else _INACTIVE for value in values]
    axes.bar(range(1, len(values) + 1), [max(value, 1e-6) for value in values], color=colors, bottom=0)
    axes.axhline(ACTIVE, color=_THIRD, linewidth=1, linestyle="--")
    axes.set_yscale("log")
    axes.set_ylim(1e-6, 2 * max([1.0, *values]))
    axes.set_xlabel("unit, by activity")
    axes.set_ylabel("variance of posterior mean")
    axes.set_title(f"{found.num_active} of {found.num_units} units active", fontsize=9)


def _draw_divergences(axes: Axes, found: Diagnosis) -> None:
    """Units where they have divergences of their own, else levels."""
    if all(level.unit_divergences is not None for level in found.levels) and found.levels:
        tables = [level.unit_divergences for level in found.levels]
        values = sorted((v for t in tables if t is not None for v in t.flatten().tolist()), reverse=True)
        axes.bar(range(1, len(values) + 1), values, color=_ACTIVE)
        axes.set_xlabel("unit, by divergence")
    else:
        axes.bar([level.name for level in found.levels], [level.divergence for level in found.levels], color=_ACTIVE)
    axes.set_ylabel("KL / nats")
    axes.set_title(f"divergence {found.divergence:.3f} nats", fontsize=9)


def _draw_evidence(axes: Axes, found: Diagnosis) -> None:
    """Reconstruction and bound, and the gaps between the bound and the evidence."""
    heights = {"reconstruction": found.reconstruction, "ELBO": found.elbo}
    if found.gaps is not None:
        gaps = found.gaps
        heights |= {} if gaps.amortization is None else {"best q": found.elbo + gaps.amortization.value}
        heights |= {"log p(x)": found.elbo + gaps.inference.value}
    names = list(heights)
    axes.plot(names, [heights[name] for name in names], "o", color=_ACTIVE)
    for name in names:
        axes.annotate(f"{heights[name]:.2f}", (name, heights[name]), textcoords="offset points", xytext=(5, 4), fontsize=7)
    axes.margins(x=0.2, y=0.25)
    axes.tick_params(axis="x", labelsize=7)
    axes.set_ylabel("nats")
    axes.set_title("bound and evidence", fontsize=9)
