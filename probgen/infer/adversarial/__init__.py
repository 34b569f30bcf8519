"""Adversarial training: ``Adversarial(divergence)(law, critic)`` is the loss of a generator and its critic."""

from probgen.infer.adversarial.adversarial import Adversarial, AdversarialLoss

__all__ = ["Adversarial", "AdversarialLoss"]
