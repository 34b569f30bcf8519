"""Adversarial training: ``Adversarial(divergence)(law, critic)`` is the loss of a generator and its critic."""

from probgen.infer.adversarial.adversarial import Adversarial
from probgen.infer.adversarial.adversarial_loss import AdversarialLoss
from probgen.infer.adversarial.augmentation import DifferentiableAugmentation, color, cutout, translation

__all__ = ["Adversarial", "AdversarialLoss", "DifferentiableAugmentation", "color", "cutout", "translation"]
