"""The main job: density models of real digits, unconditional and by class, trained through Pyro and compared honestly.

``examples/demo.py`` runs it. A family joins by an ``Entry`` in ``families.py``.
"""

from probgen.demo.baselines import gaussian, logit_gaussian
from probgen.demo.bayes import Reweighted, class_posterior, reweight, train_classifier
from probgen.demo.detection import detect, outliers
from probgen.demo.evaluation import Scores, evaluate, held_out_log_prob
from probgen.demo.families import ENTRIES, FlowModel
from probgen.demo.page import interpolation, write_page
from probgen.demo.plane import PlaneFit, fit_plane
from probgen.demo.problem import CLASSES, LEVELS, PIXELS, Problem, Settings, load_problem, one_hot
from probgen.demo.registry import DigitModel, Entry, maximum_likelihood
from probgen.demo.results import Results
from probgen.demo.runner import run
from probgen.demo.training import digit_batches, train

__all__ = [
    "CLASSES",
    "ENTRIES",
    "LEVELS",
    "PIXELS",
    "DigitModel",
    "Entry",
    "FlowModel",
    "PlaneFit",
    "Problem",
    "Results",
    "Reweighted",
    "Scores",
    "Settings",
    "class_posterior",
    "detect",
    "digit_batches",
    "evaluate",
    "fit_plane",
    "gaussian",
    "held_out_log_prob",
    "interpolation",
    "load_problem",
    "logit_gaussian",
    "maximum_likelihood",
    "one_hot",
    "outliers",
    "reweight",
    "run",
    "train",
    "train_classifier",
    "write_page",
]
