"""The main job: one model of each family on the same real images, trained through Pyro and compared honestly.

``examples/demo.py`` runs it. A family joins by an ``Entry`` in ``families.py``.
"""

from probgen.demo.autoregressive_model import AutoregressiveModel, gray_pixel_cnn, pixel_cnn_model
from probgen.demo.baselines import gaussian, logit_gaussian
from probgen.demo.bayes import Reweighted, class_posterior, reweight
from probgen.demo.comparison import comparison_table, findings
from probgen.demo.detection import detect, outliers
from probgen.demo.diffusion_model import DiffusionModel, denoising, diffusion_model, diffusion_of_images, digits_diffusion
from probgen.demo.diffusion_pictures import (
    forward_chain,
    guidance_strengths,
    inpainted,
    interpolations,
    progressive_generation,
    shared_states,
    super_resolved,
)
from probgen.demo.draw_quality import DrawQuality, draw_quality, image_features, quality_of
from probgen.demo.evaluation import Scores, evaluate, held_out_log_prob
from probgen.demo.families import ENTRIES, entries_for
from probgen.demo.few_steps import SAMPLERS, Judge, SampleQuality, measure, noise_table, solver_table
from probgen.demo.flow_likelihood import FlowBits, flow_bits, flow_log_prob
from probgen.demo.flow_model import FlowModel
from probgen.demo.gan_model import GANModel, adversarial, digits_gan, gan_model, image_gan
from probgen.demo.gaussian_mixture import fit_gaussian_mixture
from probgen.demo.image_flow_model import glow_model, glow_pictures, gray_glow
from probgen.demo.image_format import DIGITS, ImageFormat
from probgen.demo.measured import Measured, software
from probgen.demo.neighbors import Nearest, nearest_training_images
from probgen.demo.page import figures_of, write_page
from probgen.demo.plane import PlaneFit, fit_plane
from probgen.demo.problem import DATA, Problem, load_problem
from probgen.demo.registry import Entry, ImageModel, maximum_likelihood
from probgen.demo.results import Results
from probgen.demo.runner import run
from probgen.demo.settings import Settings
from probgen.demo.side_by_side import completion_rows, draw_rows, interpolation_rows, neighbor_rows
from probgen.demo.training import image_batches, train
from probgen.demo.vae_model import VAEModel, digits_vae, evidence_bound, image_vae, vae_model

__all__ = [
    "DATA",
    "DIGITS",
    "ENTRIES",
    "SAMPLERS",
    "AutoregressiveModel",
    "DiffusionModel",
    "DrawQuality",
    "Entry",
    "FlowBits",
    "FlowModel",
    "GANModel",
    "ImageFormat",
    "ImageModel",
    "Judge",
    "Measured",
    "Nearest",
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
    "comparison_table",
    "completion_rows",
    "denoising",
    "detect",
    "diffusion_model",
    "diffusion_of_images",
    "digits_diffusion",
    "digits_gan",
    "digits_vae",
    "draw_quality",
    "draw_rows",
    "entries_for",
    "evaluate",
    "evidence_bound",
    "figures_of",
    "findings",
    "fit_gaussian_mixture",
    "fit_plane",
    "flow_bits",
    "flow_log_prob",
    "forward_chain",
    "gan_model",
    "gaussian",
    "glow_model",
    "glow_pictures",
    "gray_glow",
    "gray_pixel_cnn",
    "guidance_strengths",
    "held_out_log_prob",
    "image_batches",
    "image_features",
    "image_gan",
    "image_vae",
    "inpainted",
    "interpolation_rows",
    "interpolations",
    "load_problem",
    "logit_gaussian",
    "maximum_likelihood",
    "measure",
    "nearest_training_images",
    "neighbor_rows",
    "noise_table",
    "outliers",
    "pixel_cnn_model",
    "progressive_generation",
    "quality_of",
    "reweight",
    "run",
    "shared_states",
    "software",
    "solver_table",
    "super_resolved",
    "train",
    "vae_model",
    "write_page",
]
