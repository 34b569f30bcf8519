"""The one table that compares the families, and what can be read from it in words: every sentence is made of the figures."""

from __future__ import annotations

from probgen.demo.draw_quality import DrawQuality
from probgen.demo.evaluation import Scores
from probgen.demo.registry import ImageModel
from probgen.demo.results import Results, Table

__all__ = ["comparison_table", "findings"]

HEADER = [
    "model",
    "family",
    "test bits/dim",
    "kind",
    "test - training bits",
    "Fréchet distance",
    "precision",
    "recall",
    "to nearest training image",
    "parameters",
    "training, s",
    "1000 draws, s",
    "latent space",
    "exact likelihood",
]
REAL = "test images"


def comparison_table(results: Results) -> Table:
    """One row a model, those of the baseline of real images first.

    Args:
        results: Of a run.

    Example:
        >>> from probgen.demo import Results, Settings, comparison_table, load_problem
        >>> header, rows = comparison_table(Results(Settings(), load_problem(Settings.smoke())))
        >>> len(header), rows
        (14, [])
    """
    rows = []
    if REAL in results.quality:
        rows.append([REAL, "real", "", "", "", *_draws(results.quality[REAL]), "", "", "", "", ""])
    for name, model in results.models.items():
        if name in results.quality:
            rows.append([name, results.families[name], *_fit(model, results.scores[name]), *_draws(results.quality[name]),
                         *_costs(results, name, model)])  # fmt: skip
    return HEADER, rows


def _fit(model: ImageModel, scores: Scores) -> list[str]:
    if scores.bits is None:
        return ["none", "none", "none"]
    kind = "bound" if scores.kind == "lower" else "exact density" if model.dequantized else "exact"
    return [str(scores.bits), kind, str(scores.gap)]


def _draws(found: DrawQuality) -> list[str]:
    return [found.distance, found.share("precision"), found.share("recall"), str(found.nearest.mean)]


def _costs(results: Results, name: str, model: ImageModel) -> list[str]:
    size = sum(parameter.numel() for parameter in model.parameters())
    speed = _seconds(results, name)
    exact = "yes" if results.scores[name].kind == "exact" else "no"
    return [f"{size:,}", f"{results.seconds[name]:.0f}", f"{speed:.2g}", model.latent, exact]


def findings(results: Results) -> list[str]:
    """What can be read from the table, in sentences.

    Args:
        results: Of a run.

    Example:
        >>> from probgen.demo import Results, Settings, findings, load_problem
        >>> findings(Results(Settings(), load_problem(Settings.smoke())))
        []
    """
    if len(results.quality) < 3:
        return []
    return [_likelihoods(results), _judged_draws(results), _orders(results), _copies(results), _times(results)]


def _likelihoods(results: Results) -> str:
    by_bits = _by_bits(results)
    if not by_bits:
        return "No model here has a likelihood."
    best, scales = by_bits[0], ", ".join(f"{name} {bits.mean:.2f}" for name, bits in results.baselines.items())
    without = [name for name, scores in results.scores.items() if scores.bits is None and name in results.models]
    rest = f" No likelihood: {', '.join(without)}." if without else ""
    return f"Fewest bits a pixel: {best} ({results.scores[best].shown(results.scores[best].bits)}; for scale: {scales}).{rest}"


def _judged_draws(results: Results) -> str:
    floor, best = results.quality[REAL].report, _by_distance(results)[0]
    return (
        f"Draws nearest to real images: {best}, Fréchet distance {results.quality[best].distance}; as many test images have "
        f"{floor.distance.mean:.2f}, the floor (features of the {floor.extractor}; n = {floor.num_examples} against "
        f"{floor.num_reference}). Precision is the share of draws that lie among real images, recall the share of real images "
        "that lie among draws: a model can win one by giving up the other."
    )


def _orders(results: Results) -> str:
    bits = _by_bits(results)
    draws = [name for name in _by_distance(results) if name in bits]
    same = "the same" if bits == draws else "not the same"
    return f"By likelihood: {', '.join(bits)}. By draws: {', '.join(draws)}. The two orders are {same}."


def _copies(results: Results) -> str:
    real = results.quality[REAL].nearest.mean
    ratios = {name: results.quality[name].nearest.mean.mean / max(real.mean, 1e-9) for name in results.models}
    nearest = min(ratios, key=lambda name: ratios[name])
    gaps = {name: scores.gap for name, scores in results.scores.items() if name in results.models}
    known = {name: gap for name, gap in gaps.items() if gap is not None}
    widest = max(known, key=lambda name: known[name].mean, default="")
    gap = f" The largest gap between test and training bits: {known[widest]} ({widest})." if known else ""
    return (
        f"Not just copy and paste: test images are {real} from their nearest training image (root mean square over pixels in "
        f"[0, 1]); the nearest draws are those of {nearest}, {ratios[nearest]:.2f} times as far.{gap}"
    )


def _times(results: Results) -> str:
    seconds = {name: _seconds(results, name) for name in results.models}
    fast, slow = min(seconds, key=lambda name: seconds[name]), max(seconds, key=lambda name: seconds[name])
    return (
        f"A thousand draws take {seconds[fast]:.2g} s ({fast}) to {seconds[slow]:.2g} s ({slow}); training took "
        f"{min(results.seconds.values()):.0f} to {max(results.seconds.values()):.0f} s, chosen beforehand and not equal."
    )


def _seconds(results: Results, name: str) -> float:
    """For a thousand draws."""
    return 1000 / (results.scores[name].samples_per_second or float("nan"))


def _by_bits(results: Results) -> list[str]:
    found = {name: results.scores[name].bits for name in results.models}
    known = {name: bits.mean for name, bits in found.items() if bits is not None}
    return sorted(known, key=lambda name: known[name])


def _by_distance(results: Results) -> list[str]:
    return sorted(results.models, key=lambda name: results.quality[name].report.distance.mean)
