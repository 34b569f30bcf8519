"""The whole run: baselines, then every entry unconditional and by class, then the plane."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import torch

from probgen.data.toys import TOYS
from probgen.demo.baselines import gaussian, logit_gaussian
from probgen.demo.bayes import class_posterior, reweight, train_classifier
from probgen.demo.detection import detect
from probgen.demo.draw_quality import digit_features, draw_quality, quality_of
from probgen.demo.evaluation import evaluate
from probgen.demo.families import ENTRIES
from probgen.demo.plane import fit_plane
from probgen.demo.problem import LEVELS, PIXELS, Settings, load_problem
from probgen.demo.registry import Entry
from probgen.demo.results import Results
from probgen.demo.training import train
from probgen.metrics import MeanError, accuracy, bits_per_dim

__all__ = ["run"]

Report = Callable[[str], None]


def run(settings: Settings, *, report: Report | None = None, progress: bool = True) -> Results:
    """Train and evaluate everything.

    Args:
        settings: How much work to do.
        report: Called with one line for each finished part.
        progress: Whether to show a progress bar while training.

    Example:
        >>> from probgen.demo import Settings, run
        >>> results = run(Settings.smoke(), progress=False)  # doctest: +SKIP
        >>> list(results.models)[2:]  # doctest: +SKIP
        ['Glow', 'autoregressive', 'variational autoencoder', 'diffusion', 'adversarial network']
    """
    say = report or (lambda line: None)
    results = Results(settings, load_problem(settings))
    _baselines(results)
    for entry in ENTRIES.values():
        for conditional in (True,) if entry.serves_both else (False, True):
            _train(results, entry, say, conditional=conditional, progress=progress)
    _classes(results)
    for name, model in results.models.items():
        if model.kind != "none":
            results.outliers[name] = detect(model, results.problem, settings.seed)
    say("classified, reweighted, scored outliers")
    _draws(results, say)
    for name in list(TOYS)[: settings.toys]:
        results.plane.append(fit_plane(name, settings))
        say(f"plane: {name}, KL {results.plane[-1].divergence:.3f} nats")
    return results


def _baselines(results: Results) -> None:
    problem = results.problem
    results.baselines["uniform"] = MeanError(math.log2(LEVELS), 0.0)
    results.baselines["Gaussian"] = bits_per_dim(gaussian(problem).mean(0), PIXELS, levels=LEVELS)
    results.baselines["Gaussian on logits"] = bits_per_dim(logit_gaussian(problem).mean(0), PIXELS, levels=LEVELS)


def _train(results: Results, entry: Entry, say: Report, *, conditional: bool, progress: bool) -> None:
    start = time.perf_counter()
    model, losses = train(entry, results.problem, results.settings, conditional=conditional, progress=progress)
    seconds = time.perf_counter() - start
    for by_class in (False, True) if entry.serves_both else (conditional,):
        name = f"{entry.name}, by class" if by_class else entry.name
        (results.conditional if by_class else results.models)[entry.name] = model
        results.scores[name] = evaluate(model, results.problem, results.settings, conditional=by_class)
        found = results.scores[name]
        say(f"{name}: {found.shown(found.bits)} bits/dim after {seconds:.1f} s of training")
    first = entry.name if entry.serves_both else name
    results.seconds[first] = seconds
    results.losses[first] = losses


def _classes(results: Results) -> None:
    """Bayes' rule from the models by class; reweighting of the unconditional ones, judged by Bayes' rule."""
    problem, settings = results.problem, results.settings
    classifier = train_classifier(problem, steps=min(300, settings.steps), seed=settings.seed)
    for name, model in results.conditional.items():
        torch.manual_seed(settings.seed)
        made = reweight(results.models[name], classifier, proposals=settings.samples, per_class=20)
        results.reweighted[name] = made
        if model.kind == "none":
            continue
        results.accuracy[name] = accuracy(class_posterior(model, problem, problem.test_v[0]), problem.test.labels)
        wanted = torch.arange(10).repeat_interleave(made.images.shape[1])
        # An image is a draw of a density over the cube; its edges are pulled in, because the judge scores the open cube.
        judged = class_posterior(model, problem, made.images.flatten(0, 1).clamp(1e-4, 1 - 1e-4))
        results.agreement[name] = accuracy(judged, wanted)


def _draws(results: Results, say: Report) -> None:
    """The draws of every family, and test images in their place, by one measure."""
    problem, settings = results.problem, results.settings
    extractor = digit_features(problem, steps=min(600, settings.steps), seed=settings.seed)
    test = problem.test_v[0]
    results.quality["test images"] = quality_of(test, test, problem.test.labels, problem, extractor)
    for name, model in results.models.items():
        found = draw_quality(model, results.conditional[name], problem, extractor, seed=settings.seed)
        results.quality[name] = found
    say(f"judged draws: features of the {extractor}")
