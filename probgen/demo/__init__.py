"""The main job: density models of real digits, unconditional and by class, trained through Pyro and compared honestly.

``examples/demo.py`` runs it. A family joins by an ``Entry`` in ``families.py``.
"""

from probgen.demo.autoregressive_model import AutoregressiveModel, digits_autoregressive
from probgen.demo.baselines import gaussian, logit_gaussian
from probgen.demo.bayes import Reweighted, class_posterior, reweight, train_classifier
from probgen.demo.detection import detect, outliers
from probgen.demo.diffusion_model import DiffusionModel, denoising, digits_diffusion
from probgen.demo.diffusion_pictures import (
    forward_chain,
    guidance_strengths,
    inpainted,
    interpolations,
    progressive_generation,
    shared_states,
    super_resolved,
)
from probgen.demo.draw_quality import DrawQuality, digit_features, draw_quality, quality_of
from probgen.demo.evaluation import Scores, evaluate, held_out_log_prob
from probgen.demo.families import ENTRIES
from probgen.demo.few_steps import SAMPLERS, Judge, SampleQuality, measure, noise_table, solver_table
from probgen.demo.flow_likelihood import FlowBits, flow_bits, flow_log_prob
from probgen.demo.flow_model import FlowModel
from probgen.demo.gan_model import GANModel, adversarial, digits_gan
from probgen.demo.gaussian_mixture import fit_gaussian_mixture
from probgen.demo.image_flow_model import digits_glow, glow_model, glow_pictures
from probgen.demo.measured import Measured, software
from probgen.demo.page import interpolation, write_page
from probgen.demo.plane import PlaneFit, fit_plane
from probgen.demo.problem import CLASSES, LEVELS, PIXELS, Problem, Settings, load_problem, one_hot
from probgen.demo.registry import DigitModel, Entry, maximum_likelihood
from probgen.demo.results import Results
from probgen.demo.runner import run
from probgen.demo.training import digit_batches, train
from probgen.demo.vae_model import VAEModel, digits_vae, evidence_bound

__all__ = [
    "CLASSES",
    "ENTRIES",
    "LEVELS",
    "PIXELS",
    "SAMPLERS",
    "AutoregressiveModel",
    "DiffusionModel",
    "DigitModel",
    "DrawQuality",
    "Entry",
    "FlowBits",
    "FlowModel",
    "GANModel",
    "Judge",
    "Measured",
    "PlaneFit",
    "Problem",
    "Results",
    "Reweighted",
    "SampleQuality",
    "Scores",
    "Settings",
    "VAEModel",
    "adversarial",
    "class_posterior",
    "denoising",
    "detect",
    "digit_batches",
    "digit_features",
    "digits_autoregressive",
    "digits_diffusion",
    "digits_gan",
    "digits_glow",
    "digits_vae",
    "draw_quality",
    "evaluate",
    "evidence_bound",
    "fit_gaussian_mixture",
    "fit_plane",
    "flow_bits",
    "flow_log_prob",
    "forward_chain",
    "gaussian",
    "glow_model",
    "glow_pictures",
    "guidance_strengths",
    "held_out_log_prob",
    "inpainted",
    "interpolation",
    "interpolations",
    "load_problem",
    "logit_gaussian",
    "maximum_likelihood",
    "measure",
    "noise_table",
    "one_hot",
    "outliers",
    "progressive_generation",
    "quality_of",
    "reweight",
    "run",
    "shared_states",
    "software",
    "solver_table",
    "super_resolved",
    "train",
    "train_classifier",
    "write_page",
]
