r"""Classifiers: a network from data to the law of a label, from scratch or on the features of an autoencoder.

.. math:: q(y \mid x) = \operatorname{Categorical}\bigl(\operatorname{softmax} h(x)\bigr), \qquad
    L = -\frac1n \sum_i \log q(y_i \mid x_i).

An encoder that was trained without labels is a good start of h where labels are few.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence

import pyro.distributions as dist
import torch
from torch import Tensor, nn

from probgen.distributions.events import batch_of, checked, one_batch_dim
from probgen.infer import Objective
from probgen.nn import MLP
from probgen.vae.autoencoder import Autoencoder
from probgen.vae.recipes import Centered

__all__ = ["ClassificationLoss", "Classifier", "classifier_on_codes", "mlp_classifier"]


class Classifier(nn.Module):
    r"""From data to the law of a label 0, ..., K - 1.

    Attributes:
        event_shape: Shape of one datum.
        num_classes: The number K of classes.

    Args:
        network: A module from data ``[N, *event]`` to logits ``[N, K]``.
        event_shape: Shape of one datum.
        num_classes: The number K of classes.

    Raises:
        ValueError: there are fewer than two classes.

    Example:
        >>> import torch
        >>> from probgen.vae import Classifier
        >>> law = Classifier(torch.nn.Linear(4, 3), event_shape=(4,), num_classes=3)(torch.zeros(5, 2, 4))
        >>> law.batch_shape, law.probs.shape
        (torch.Size([5, 2]), torch.Size([5, 2, 3]))
    """

    def __init__(self, network: nn.Module, event_shape: Sequence[int], num_classes: int) -> None:
        super().__init__()
        if num_classes < 2:
            raise ValueError(f"`num_classes` must be at least 2; got {num_classes}.")
        self.network = network
        self.event_shape = tuple(event_shape)
        self.num_classes = num_classes

    def forward(self, x: Tensor) -> dist.Categorical:
        r"""The law :math:`q(y \mid x)` of the labels of data ``[*batch, *event]``.

        Raises:
            ValueError: the data have another shape, or the network gives another number of logits.
        """
        batch = batch_of("`x` of a Classifier", x, self.event_shape)
        logits: Tensor = self.network(one_batch_dim(x, batch, self.event_shape))
        if tuple(logits.shape) != (batch.numel(), self.num_classes):
            raise ValueError(
                f"the network must give {self.num_classes} logits for each of {batch.numel()} data; got {tuple(logits.shape)}."
            )
        logits = logits.reshape(*batch, self.num_classes)
        return dist.Categorical(logits=logits, validate_args=checked(logits))

    def loss(self) -> ClassificationLoss:
        """The objective of labeled data ``(x, y)``, for ``infer.fit``."""
        return ClassificationLoss(self)


class ClassificationLoss(Objective):
    """The mean of minus the log-probability of the labels, in nats.

    Args:
        classifier: What is trained.

    Example:
        >>> import torch
        >>> from probgen.vae import ClassificationLoss, Classifier
        >>> loss = ClassificationLoss(Classifier(torch.nn.Flatten(), event_shape=(2,), num_classes=2))
        >>> loss(torch.zeros(5, 2), torch.zeros(5, dtype=torch.long))
        tensor(0.6931)
    """

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """The loss of data ``[*batch, *event]`` with labels ``[*batch]``: a scalar; 0 for no data.

        Raises:
            ValueError: there is not one label a datum.
        """
        log_probs = torch.log_softmax(self.classifier(x).logits, -1)
        require_labels(y, log_probs.shape[:-1])
        return -log_probs.gather(-1, y.unsqueeze(-1)).sum() / max(y.numel(), 1)


def require_labels(y: Tensor, batch: Sequence[int]) -> None:
    """Raise if there is not one label for each datum: a gather would take those there are, or repeat them.

    Args:
        y: Labels.
        batch: The batch shape of the data.

    Raises:
        ValueError: the shapes differ.

    Example:
        >>> import torch
        >>> from probgen.vae.classifier import require_labels
        >>> require_labels(torch.zeros(5), (5,))
    """
    if tuple(y.shape) != tuple(batch):
        raise ValueError(f"`y` must hold one label for each datum, {tuple(batch)}; got shape {tuple(y.shape)}.")


def mlp_classifier(
    event_shape: Sequence[int],
    num_classes: int,
    *,
    hidden: Sequence[int] = (128,),
    activation: Callable[[], nn.Module] = nn.ReLU,
    dropout: float = 0.0,
    mean: Tensor | float = 0.0,
) -> Classifier:
    """A classifier that is a multilayer perceptron on flat data.

    Args:
        event_shape: Shape of one datum.
        num_classes: Number of classes.
        hidden: Widths of the hidden layers.
        activation: Makes the activation of the hidden layers.
        dropout: Probability with which a hidden unit is dropped in training.
        mean: Subtracted from the data: a number, or their mean ``[*event]``.

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> pg.vae.mlp_classifier((8, 8), 10)(torch.zeros(5, 8, 8)).probs.shape
        torch.Size([5, 10])
    """
    network = MLP(math.prod(event_shape), num_classes, hidden=hidden, activation=activation, dropout=dropout)
    return Classifier(Centered(network, mean), event_shape, num_classes)


def classifier_on_codes(autoencoder: Autoencoder, num_classes: int) -> Classifier:
    """A classifier that starts from the encoder of an autoencoder: a copy of it, a rectifier, a linear layer.

    To keep the features as they are, train ``classifier.network[-1]`` alone.

    Args:
        autoencoder: A trained autoencoder; it is copied, not changed.
        num_classes: Number of classes.

    References:
        Hinton, Salakhutdinov (2006). Reducing the dimensionality of data with neural networks.
        https://doi.org/10.1126/science.1127647

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> autoencoder = pg.vae.mlp_autoencoder((8, 8), code=16)
        >>> pg.vae.classifier_on_codes(autoencoder, 10)(torch.zeros(5, 8, 8)).probs.shape
        torch.Size([5, 10])
    """
    features = math.prod(autoencoder.code_shape)
    first = next(autoencoder.parameters(), torch.zeros(()))
    head = nn.Linear(features, num_classes, dtype=first.dtype, device=first.device)
    network = nn.Sequential(copy.deepcopy(autoencoder.encoder), nn.Flatten(), nn.ReLU(), head)
    return Classifier(network, autoencoder.event_shape, num_classes)
