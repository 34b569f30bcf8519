"""Everything a run of the demo found out, and the tables made of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from probgen.demo.bayes import Reweighted
from probgen.demo.draw_quality import DrawQuality
from probgen.demo.evaluation import Scores
from probgen.demo.plane import PlaneFit
from probgen.demo.problem import Problem, Settings
from probgen.demo.registry import DigitModel
from probgen.metrics import MeanError

__all__ = ["Results"]

Table = tuple[list[str], list[list[str]]]


@dataclass
class Results:
    """What a run found, by the name of the entry.

    Attributes:
        settings: Of the run.
        problem: The data.
        baselines: Test bits per dimension of the baselines.
        models: Unconditional models.
        conditional: Models by class.
        scores: Scores, for "name" and "name, by class".
        seconds: Training time, likewise; a model that serves both is listed once.
        losses: Loss of every step, likewise.
        accuracy: Test accuracy of Bayes' rule, of models with a density.
        reweighted: The generators made of an unconditional model and a classifier.
        agreement: Share of their draws that Bayes' rule puts into the class asked for.
        outliers: AUROC for each kind of outlier.
        quality: What draws are worth, those of the test images first.
        plane: The fits in the plane.

    Example:
        >>> from probgen.demo import Results, Settings, load_problem
        >>> Results(Settings(), load_problem(Settings.smoke())).class_table()[1]
        []
    """

    settings: Settings
    problem: Problem
    baselines: dict[str, MeanError] = field(default_factory=dict)
    models: dict[str, DigitModel] = field(default_factory=dict)
    conditional: dict[str, DigitModel] = field(default_factory=dict)
    scores: dict[str, Scores] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    losses: dict[str, Tensor] = field(default_factory=dict)
    accuracy: dict[str, MeanError] = field(default_factory=dict)
    reweighted: dict[str, Reweighted] = field(default_factory=dict)
    agreement: dict[str, MeanError] = field(default_factory=dict)
    outliers: dict[str, dict[str, float]] = field(default_factory=dict)
    quality: dict[str, DrawQuality] = field(default_factory=dict)
    plane: list[PlaneFit] = field(default_factory=list)

    def score_table(self) -> Table:
        """Bits per dimension and costs, baselines first."""
        header = ["model", "test bits/dim", "train bits/dim", "training, s", "samples/s", "round trip"]
        rows = [[name, str(bits), "", "", "", ""] for name, bits in self.baselines.items()]
        for name, s in self.scores.items():
            seconds = f"{self.seconds[name]:.1f}" if name in self.seconds else "as above"
            round_trip = "n/a" if s.round_trip is None else f"{s.round_trip:.0e}"
            costs = [seconds, f"{s.samples_per_second:,.0f}", round_trip]
            rows.append([name, s.shown(s.bits), s.shown(s.train_bits), *costs])
        return header, rows

    def class_table(self) -> Table:
        """Accuracy of Bayes' rule, and of the reweighted generators."""
        header = ["model", "accuracy of Bayes' rule", "reweighted draws in their class", "smallest effective sample size"]
        rows = []
        for name, made in self.reweighted.items():
            effective = f"{float(made.effective.min()):.0f} of {made.proposals}"
            by_rule = (str(self.accuracy[name]), str(self.agreement[name])) if name in self.accuracy else ("no density",) * 2
            rows.append([name, *by_rule, effective])
        return header, rows

    def outlier_table(self) -> Table:
        """AUROC, one column a model."""
        names = list(self.outliers)
        kinds = list(self.outliers[names[0]]) if names else []
        return ["digits against", *names], [[kind, *(f"{self.outliers[name][kind]:.3f}" for name in names)] for kind in kinds]

    def quality_table(self) -> Table:
        """What draws are worth, with or without a density."""
        header = ["draws of", "Fréchet distance", "precision", "recall", "density", "coverage", "by class: read as asked"]
        return header, [[name, *found.cells()] for name, found in self.quality.items()]

    def plane_table(self) -> Table:
        """Divergence of each fit in the plane."""
        return ["law of the plane", "KL(truth || flow), nats"], [[fit.name, f"{fit.divergence:.3f}"] for fit in self.plane]
