"""The whole run: baselines, then every entry unconditional and by class, then what their draws are worth, then the plane."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from probgen.data.toys import TOYS
from probgen.demo.baselines import gaussian, logit_gaussian
from probgen.demo.bayes import class_posterior, reweight
from probgen.demo.detection import detect
from probgen.demo.draw_quality import draw_quality, image_features, quality_of
from probgen.demo.evaluation import evaluate
from probgen.demo.families import entries_for
from probgen.demo.plane import fit_plane
from probgen.demo.problem import load_problem
from probgen.demo.registry import Entry
from probgen.demo.results import Results
from probgen.demo.settings import Settings
from probgen.demo.training import train
from probgen.metrics import ClassifierFeatures, MeanError, accuracy, bits_per_dim

__all__ = ["run"]

Report = Callable[[str], None]


def run(
    settings: Settings, *, only: Sequence[str] | None = None, report: Report | None = None, progress: bool = True
) -> Results:
    """Train and evaluate everything.

    Args:
        settings: How much work to do, and where.
        only: Names of the entries that take part; all by default.
        report: Called with one line for each finished part.
        progress: Whether to show a progress bar while training.

    Raises:
        ValueError: there is no such entry, or no such data set.
        DataNotFoundError: the data are not here.
        KeyboardInterrupt: training was stopped.

    Example:
        >>> from probgen.demo import Settings, run
        >>> results = run(Settings.smoke(), only=["adversarial network"], progress=False)
        >>> list(results.quality)
        ['test images', 'adversarial network']
    """
    say, begin = report or (lambda line: None), settings.now()
    results = Results(settings, load_problem(settings))
    entries = entries_for(results.problem)
    unknown = sorted(set(only or ()) - set(entries))
    if unknown:
        raise ValueError(f"`only` must name entries among {', '.join(entries)}; got {', '.join(unknown)}.")
    say(f"{results.problem.name}: {len(results.problem.train):,} training images; {', '.join(only or entries)}")
    _baselines(results)
    for entry in (entries[name] for name in entries if only is None or name in only):
        for conditional in (True,) if entry.serves_both else (False, True):
            _train(results, entry, say, conditional=conditional, progress=progress)
    extractor = image_features(
        results.problem, steps=_feature_steps(results), seed=settings.seed, num_features=settings.features
    )
    _draws(results, extractor, say)
    _classes(results, extractor)
    for name, model in results.models.items():
        if model.kind != "none":
            results.outliers[name] = detect(model, results.problem, settings.seed, count=settings.classified)
    say("classified, reweighted, scored outliers")
    for name in list(TOYS)[: settings.toys]:
        results.plane.append(fit_plane(name, settings))
        say(f"plane: {name}, KL {results.plane[-1].divergence:.3f} nats")
    results.total_seconds = settings.now() - begin
    return results


def _baselines(results: Results) -> None:
    images = results.problem.images
    results.baselines["uniform"] = MeanError(math.log2(images.levels), 0.0)
    for name, fitted in (("Gaussian", gaussian), ("Gaussian on logits", logit_gaussian)):
        results.baselines[name] = bits_per_dim(fitted(results.problem).mean(0), images.num_pixels, levels=images.levels)


def _train(results: Results, entry: Entry, say: Report, *, conditional: bool, progress: bool) -> None:
    start = results.settings.now()
    model, losses = train(entry, results.problem, results.settings, conditional=conditional, progress=progress)
    seconds = results.settings.now() - start
    results.families[entry.name] = entry.family
    for by_class in (False, True) if entry.serves_both else (conditional,):
        name = f"{entry.name}, by class" if by_class else entry.name
        (results.conditional if by_class else results.models)[entry.name] = model
        torch.manual_seed(results.settings.seed)
        results.scores[name] = evaluate(model, results.problem, results.settings, conditional=by_class)
        found = results.scores[name]
        say(f"{name}: {found.shown(found.bits)} bits/dim after {seconds:.1f} s of training")
    first = entry.name if entry.serves_both else name
    results.seconds[first] = seconds
    results.losses[first] = losses


def _feature_steps(results: Results) -> int:
    most = 600 if results.problem.images.small else 2000
    return min(most, results.settings.steps)


def _draws(results: Results, extractor: ClassifierFeatures, say: Report) -> None:
    """The draws of every family, and test images in their place, by one measure."""
    problem, settings = results.problem, results.settings
    test = problem.test_v[0]
    results.quality["test images"] = quality_of(test, test, problem.test.labels, problem, extractor)
    for name, model in results.models.items():
        found = draw_quality(model, results.conditional[name], problem, extractor, seed=settings.seed)
        results.quality[name] = found
    say(f"judged draws: features of the {extractor}")


def _classes(results: Results, extractor: ClassifierFeatures) -> None:
    """Bayes' rule from the models by class; reweighting of the unconditional ones, judged by Bayes' rule."""
    problem, settings = results.problem, results.settings
    images = problem.images

    def classifier(v: Tensor) -> Tensor:
        return extractor.classify(images.square(images.integers(v)))

    per_class = max(2, settings.samples // 100)
    for name, model in results.conditional.items():
        torch.manual_seed(settings.seed)
        made = reweight(results.models[name], classifier, proposals=settings.samples, per_class=per_class)
        results.reweighted[name] = made
        if model.kind == "none":
            continue
        v, labels = problem.test_v[0][: settings.classified], problem.test.labels[: settings.classified]
        results.accuracy[name] = accuracy(class_posterior(model, problem, v), labels)
        wanted = torch.arange(images.num_classes).repeat_interleave(made.images.shape[1])
        # An image is a draw of a density over the cube; its edges are pulled in, because the judge scores the open cube.
        judged = class_posterior(model, problem, made.images.flatten(0, 1).clamp(1e-4, 1 - 1e-4))
        results.agreement[name] = accuracy(judged, wanted)
