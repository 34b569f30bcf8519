"""Variational autoencoders: latent-variable models as Pyro models with their guides; autoencoders beside them.

This package holds models and recipes. Bounds and estimates of a law are methods of the law (``probgen.distributions.latent``),
objectives stand in ``probgen.infer``, networks in ``probgen.nn``.
"""

from probgen.vae import latent_space
from probgen.vae.autoencoder import Autoencoder, ReconstructionLoss
from probgen.vae.chain import ChainVAE
from probgen.vae.classifier import ClassificationLoss, Classifier, classifier_on_codes, mlp_classifier
from probgen.vae.conv_recipes import conv_autoencoder, conv_vae
from probgen.vae.corruption import MaskingCorruption, NormalCorruption
from probgen.vae.diagnosis import Advice, CodebookDiagnosis, DecoderDiagnosis, Diagnosis, Gaps, LevelDiagnosis
from probgen.vae.doctor import diagnose
from probgen.vae.hierarchical import HierarchicalVAE
from probgen.vae.hierarchical_bound import HierarchicalBound
from probgen.vae.hierarchical_law import HierarchicalLaw
from probgen.vae.hierarchy_recipes import chain_vae, ladder_vae, top_down_vae
from probgen.vae.image_hierarchy import conv_top_down_vae
from probgen.vae.level import Level
from probgen.vae.linear import PrincipalComponents, linear_autoencoder, principal_angles, principal_components
from probgen.vae.model import VAE
from probgen.vae.recipes import mlp_autoencoder, mlp_vae
from probgen.vae.semi_supervised import SemiSupervisedLoss, SemiSupervisedVAE
from probgen.vae.top_down import TopDownVAE
from probgen.vae.vq_codebook import Codebook, perplexity_of
from probgen.vae.vq_losses import CodePriorLoss, VQLoss, straight_through
from probgen.vae.vq_model import VQVAE
from probgen.vae.vq_prior import made_code_prior

__all__ = [
    "VAE",
    "VQVAE",
    "Advice",
    "Autoencoder",
    "ChainVAE",
    "ClassificationLoss",
    "Classifier",
    "CodePriorLoss",
    "Codebook",
    "CodebookDiagnosis",
    "DecoderDiagnosis",
    "Diagnosis",
    "Gaps",
    "HierarchicalBound",
    "HierarchicalLaw",
    "HierarchicalVAE",
    "Level",
    "LevelDiagnosis",
    "MaskingCorruption",
    "NormalCorruption",
    "PrincipalComponents",
    "ReconstructionLoss",
    "SemiSupervisedLoss",
    "SemiSupervisedVAE",
    "TopDownVAE",
    "VQLoss",
    "chain_vae",
    "classifier_on_codes",
    "conv_autoencoder",
    "conv_top_down_vae",
    "conv_vae",
    "diagnose",
    "ladder_vae",
    "latent_space",
    "linear_autoencoder",
    "made_code_prior",
    "mlp_autoencoder",
    "mlp_classifier",
    "mlp_vae",
    "perplexity_of",
    "principal_angles",
    "principal_components",
    "straight_through",
    "top_down_vae",
]
