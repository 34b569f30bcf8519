"""Everything a run of the demo found out, and the tables of details made of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from probgen.demo.bayes import Reweighted
from probgen.demo.draw_quality import DrawQuality
from probgen.demo.evaluation import Scores
from probgen.demo.plane import PlaneFit
from probgen.demo.problem import Problem
from probgen.demo.registry import ImageModel
from probgen.demo.settings import Settings
from probgen.metrics import MeanError

__all__ = ["Results", "Table"]

Table = tuple[list[str], list[list[str]]]


@dataclass
class Results:
    """What a run found, by the name of the entry.

    Attributes:
        settings: Of the run.
        problem: The data.
        baselines: Test bits per dimension of the baselines.
        families: Which of the five families each model belongs to.
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
        total_seconds: Of the whole run.

    Example:
        >>> from probgen.demo import Results, Settings, load_problem
        >>> Results(Settings(), load_problem(Settings.smoke())).class_table()[1]
        []
    """

    settings: Settings
    problem: Problem
    baselines: dict[str, MeanError] = field(default_factory=dict)
    families: dict[str, str] = field(default_factory=dict)
    models: dict[str, ImageModel] = field(default_factory=dict)
    conditional: dict[str, ImageModel] = field(default_factory=dict)
    scores: dict[str, Scores] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    losses: dict[str, Tensor] = field(default_factory=dict)
    accuracy: dict[str, MeanError] = field(default_factory=dict)
    reweighted: dict[str, Reweighted] = field(default_factory=dict)
    agreement: dict[str, MeanError] = field(default_factory=dict)
    outliers: dict[str, dict[str, float]] = field(default_factory=dict)
    quality: dict[str, DrawQuality] = field(default_factory=dict)
    plane: list[PlaneFit] = field(default_factory=list)
    total_seconds: float = 0.0

    def class_table(self) -> Table:
        """Models by class: bits, Bayes' rule, draws that are read as asked; and classes by reweighting."""
        header = [
            "model by class",
            "test bits/dim",
            "accuracy of Bayes' rule",
            "draws read as asked",
            "reweighted draws in their class",
            "smallest effective sample size",
        ]
        rows = []
        for name, made in self.reweighted.items():
            scores, effective = self.scores[f"{name}, by class"], f"{float(made.effective.min()):.0f} of {made.proposals}"
            by_rule = (str(self.accuracy[name]), str(self.agreement[name])) if name in self.accuracy else ("no density",) * 2
            read = f"{self.quality[name].read.mean:.3f}"
            rows.append([name, scores.shown(scores.bits), by_rule[0], read, by_rule[1], effective])
        return header, rows

    def detail_table(self) -> Table:
        """What the comparison leaves out: training bits, round trips, density and coverage of the draws."""
        header = ["model", "training bits/dim", "round trip", "density", "coverage", "training steps", "draws by"]
        rows = []
        for name, found in self.quality.items():
            shares = [found.share("density"), found.share("coverage")]
            if name not in self.scores:
                rows.append([name, "", "", *shares, "", ""])
                continue
            scores = self.scores[name]
            round_trip = "none" if scores.round_trip is None else f"{scores.round_trip:.0e}"
            work = [f"{len(self.losses[name]):,}", self.models[name].draws_by]
            rows.append([name, scores.shown(scores.train_bits), round_trip, *shares, *work])
        return header, rows

    def outlier_table(self) -> Table:
        """AUROC, one column a model."""
        names = list(self.outliers)
        kinds = list(self.outliers[names[0]]) if names else []
        return ["test images against", *names], [
            [kind, *(f"{self.outliers[name][kind]:.3f}" for name in names)] for kind in kinds
        ]

    def plane_table(self) -> Table:
        """Divergence of each fit in the plane."""
        return ["law of the plane", "KL(truth || flow), nats"], [[fit.name, f"{fit.divergence:.3f}"] for fit in self.plane]
