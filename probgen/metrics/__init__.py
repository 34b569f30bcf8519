"""Numbers that say how good a model is, each with its uncertainty: likelihoods, accuracies, distances between sets of examples.

A distance between sets of images names the features it was computed on and the floor of real against real. This package does
not plot, and it trains nothing but the classifiers whose features it uses.
"""

from probgen.metrics.class_score import class_score
from probgen.metrics.classification import accuracy, auroc
from probgen.metrics.classifier import ClassifierFeatures, train_classifier_features
from probgen.metrics.coverage import NeighborhoodOverlap, neighborhood_overlap
from probgen.metrics.features import FeatureExtractor, PixelFeatures
from probgen.metrics.frechet import FrechetReport, frechet_distance, frechet_distance_of_moments, frechet_report
from probgen.metrics.kernel import kernel_distance
from probgen.metrics.likelihood import MeanError, bits_per_dim, cross_entropy, mean_and_error
from probgen.metrics.modes import ClassCoverage, ModeCoverage, class_coverage, mode_coverage, reverse_kl_floor
from probgen.metrics.pretrained import PretrainedFeatures, imagenet_features
from probgen.metrics.rank_calibration import RankCalibration, simulation_based_calibration
from probgen.metrics.sliced import sliced_wasserstein_distance
from probgen.metrics.two_sample import TwoSampleReport, classifier_two_sample_test
from probgen.metrics.typicality import TypicalityReport, typicality_test

__all__ = [
    "ClassCoverage",
    "ClassifierFeatures",
    "FeatureExtractor",
    "FrechetReport",
    "MeanError",
    "ModeCoverage",
    "NeighborhoodOverlap",
    "PixelFeatures",
    "PretrainedFeatures",
    "RankCalibration",
    "TwoSampleReport",
    "TypicalityReport",
    "accuracy",
    "auroc",
    "bits_per_dim",
    "class_coverage",
    "class_score",
    "classifier_two_sample_test",
    "cross_entropy",
    "frechet_distance",
    "frechet_distance_of_moments",
    "frechet_report",
    "imagenet_features",
    "kernel_distance",
    "mean_and_error",
    "mode_coverage",
    "neighborhood_overlap",
    "reverse_kl_floor",
    "simulation_based_calibration",
    "sliced_wasserstein_distance",
    "train_classifier_features",
    "typicality_test",
]
