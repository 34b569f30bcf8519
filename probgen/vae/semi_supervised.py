r"""Learning from few labels: a latent-variable model of data and labels, with the labels summed out where they are missing.

.. math::

    y \sim p(y), \qquad z \sim p(z), \qquad x \sim p(x \mid y, z); \qquad q(y, z \mid x) = q(y \mid x)\, q(z \mid x, y).

With the bound of a labeled datum :math:`L(x, y) = \log p(y) + \mathrm{ELBO}(x \mid y)`, that of an unlabeled one is the exact
sum over the labels

.. math::

    U(x) = \sum_y q(y \mid x) \bigl( L(x, y) - \log q(y \mid x) \bigr) \le \log p(x),

largest where :math:`q(y \mid x) \propto e^{L(x, y)}`. The label is a context of a conditional autoencoder, so the model is made
of two parts that exist already: a :class:`~probgen.vae.VAE` that takes the label one-hot, and a
:class:`~probgen.vae.Classifier`.
"""

from __future__ import annotations

import pyro
import pyro.distributions as dist
import torch
from torch import Tensor, nn

from probgen.distributions import LatentVariable
from probgen.infer import Objective
from probgen.infer.data_plate import data_plate
from probgen.vae.classifier import Classifier, require_labels
from probgen.vae.model import VAE

__all__ = ["SemiSupervisedLoss", "SemiSupervisedVAE"]


class SemiSupervisedVAE(nn.Module):
    r"""The semi-supervised variational autoencoder ("M2").

    Attributes:
        vae: The conditional autoencoder.
        classifier: The posterior of the label.

    Args:
        vae: A conditional autoencoder whose context is a label, one-hot: ``context_shape=(K,)``.
        classifier: From data to the law of the label.
        label_probabilities: The prior :math:`p(y)`, ``[K]``; uniform by default. It is kept as a buffer.

    Raises:
        ValueError: the sizes of the context, the classifier and the prior differ, or the prior is none.

    References:
        Kingma, Rezende, Mohamed, Welling (2014). Semi-supervised learning with deep generative models.
        https://arxiv.org/abs/1406.5298

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> vae = pg.vae.mlp_vae((64,), latent=8, context_shape=(10,))
        >>> model = pg.vae.SemiSupervisedVAE(vae, pg.vae.mlp_classifier((64,), 10))
        >>> x, y = torch.zeros(5, 64), torch.tensor([3, 1, -1, -1, -1])  # -1: unlabeled
        >>> model.loss()(x, y).shape, model.bound(x).shape, model.classify(x).probs.shape
        (torch.Size([]), torch.Size([5]), torch.Size([5, 10]))
    """

    log_prior: Tensor

    def __init__(self, vae: VAE, classifier: Classifier, label_probabilities: Tensor | None = None) -> None:
        super().__init__()
        count = classifier.num_classes
        if vae.context_shape != (count,):
            raise ValueError(f"`vae` must take a one-hot label of {count} classes as context; got {vae.context_shape}.")
        prior = torch.full((count,), 1 / count) if label_probabilities is None else label_probabilities
        if prior.shape != (count,) or not bool((prior > 0).all()) or abs(float(prior.sum()) - 1) > 1e-4:
            raise ValueError(f"`label_probabilities` must be {count} positive numbers that sum to one; got {prior.tolist()}.")
        self.vae = vae
        self.classifier = classifier
        self.register_buffer("log_prior", prior.log())

    # --------------------------------------------------------------------------------------------------------------------- laws

    @property
    def num_classes(self) -> int:
        """The number K of classes."""
        return self.classifier.num_classes

    def label_law(self) -> dist.Categorical:
        """The prior p(y)."""
        return dist.Categorical(logits=self.log_prior)

    def classify(self, x: Tensor) -> dist.Categorical:
        r"""The law :math:`q(y \mid x)` of the labels of data ``[*batch, *event]``."""
        law: dist.Categorical = self.classifier(x)
        return law

    def distribution(self, y: Tensor) -> LatentVariable:
        r"""The law :math:`p(x \mid y)` of the data with labels ``[*batch]``."""
        return self.vae.distribution(self._one_hot(y))

    # ------------------------------------------------------------------------------------------------------------------- bounds

    def labeled_bounds(self, x: Tensor, num_draws: int = 1) -> Tensor:
        """The bounds L(x, y) of log p(x, y) for every label: unbiased estimates in nats, ``[K, *batch]``.

        Args:
            x: Data ``[*batch, *event]``.
            num_draws: Draws of the latents that are averaged.
        """
        batch = x.shape[: x.dim() - len(self.vae.event_shape)]
        every = torch.eye(self.num_classes, dtype=self.log_prior.dtype, device=self.log_prior.device)
        shape = (self.num_classes, *(1 for _ in batch))
        context = every.reshape(*shape, self.num_classes).expand(self.num_classes, *batch, self.num_classes)
        return self.vae.distribution(context).elbo(x, num_draws) + self.log_prior.reshape(shape)

    def bound(self, x: Tensor, num_draws: int = 1) -> Tensor:
        """The bound U(x) of log p(x), labels summed out: an unbiased estimate in nats, ``[*batch]``.

        Args:
            x: Data ``[*batch, *event]``.
            num_draws: Draws of the latents that are averaged, for every label.
        """
        return self._unlabeled(self.labeled_bounds(x, num_draws), self._label_log_probs(x))

    def _unlabeled(self, bounds: Tensor, log_q: Tensor) -> Tensor:
        return (log_q.exp() * (bounds - log_q)).sum(0)

    def _label_log_probs(self, x: Tensor) -> Tensor:
        """The log-probabilities of all labels, ``[K, *batch]``."""
        return torch.log_softmax(self.classify(x).logits, -1).movedim(-1, 0)

    # ----------------------------------------------------------------------------------------------------------------- programs

    def model(self, x: Tensor | None = None, y: Tensor | None = None, *, size: int | None = None) -> Tensor:
        """The Pyro model: sites "y", "z" and "x" in a plate "data".

        Args:
            x: Data ``[n, *event]`` to condition on; None to generate.
            y: Labels ``[n]``; None where they are not known.
            size: Size N of the plate: with data or labels, that of the whole data set, of which the batch is n (their terms
                weigh N/n); by default n. Without them how many are generated; by default 1.

        Raises:
            ValueError: ``size`` is less than the number of data.
        """
        with data_plate(x if y is None else y, size, self.log_prior):
            label: Tensor = pyro.sample("y", self.label_law(), obs=y)
            context = self._one_hot(label)
            z: Tensor = pyro.sample("z", self.vae.latent_law(context))
            data: Tensor = pyro.sample("x", self.vae.decode(z, context), obs=x)
        return data

    def guide(self, x: Tensor, y: Tensor | None = None, *, size: int | None = None) -> Tensor:
        """The Pyro guide: the site "y", unless it is known, then "z". Objectives that enumerate sum over "y".

        Args:
            x: Data ``[n, *event]``.
            y: Labels ``[n]``; None where they are not known.
            size: As in :meth:`model`.
        """
        with data_plate(x, size, self.log_prior):
            if y is None:
                y = pyro.sample("y", self.classify(x), infer={"enumerate": "parallel"})
            z: Tensor = pyro.sample("z", self.vae.encode(x, self._one_hot(y)))
        return z

    def loss(self, classification_weight: float = 1.0, num_draws: int = 1) -> SemiSupervisedLoss:
        """The objective on partly labeled data, for ``infer.fit``.

        Args:
            classification_weight: Weight of the classifier's log-probability of known labels.
            num_draws: Draws of the latents that are averaged.
        """
        return SemiSupervisedLoss(self, classification_weight, num_draws)

    def _one_hot(self, y: Tensor) -> Tensor:
        return nn.functional.one_hot(y.long(), self.num_classes).to(self.log_prior.dtype)


class SemiSupervisedLoss(Objective):
    r"""The negative bound of partly labeled data, and the error of the classifier where the label is known.

    .. math::

        -\sum_{i \text{ labeled}} \bigl( L(x_i, y_i) + \alpha \log q(y_i \mid x_i) \bigr) - \sum_{i \text{ unlabeled}} U(x_i)

    Every label is enumerated for every datum, in one pass of K times the batch.

    Args:
        model: What is trained.
        classification_weight: The weight :math:`\alpha`; Kingma et al. take 0.1 N / (number of labels).
        num_draws: Draws of the latents that are averaged.

    Raises:
        ValueError: the weight is negative.

    References:
        Kingma, Rezende, Mohamed, Welling (2014). Semi-supervised learning with deep generative models.
        https://arxiv.org/abs/1406.5298

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> vae = pg.vae.mlp_vae((4,), latent=2, hidden=(8,), context_shape=(3,))
        >>> loss = pg.vae.SemiSupervisedLoss(pg.vae.SemiSupervisedVAE(vae, pg.vae.mlp_classifier((4,), 3)))
        >>> loss(torch.zeros(2, 4), torch.tensor([2, -1])).shape
        torch.Size([])
    """

    def __init__(self, model: SemiSupervisedVAE, classification_weight: float = 1.0, num_draws: int = 1) -> None:
        super().__init__()
        if not classification_weight >= 0:
            raise ValueError(f"`classification_weight` must not be negative; got {classification_weight}.")
        self.model = model
        self.classification_weight = classification_weight
        self.num_draws = num_draws

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """The loss of a batch: a scalar in nats, summed over the data.

        Args:
            x: Data ``[*batch, *event]``.
            y: Labels ``[*batch]``, integers; negative where unknown.

        Raises:
            ValueError: there is not one label a datum.
        """
        require_labels(y, x.shape[: x.dim() - len(self.model.vae.event_shape)])
        bounds, log_q = self.model.labeled_bounds(x, self.num_draws), self.model._label_log_probs(x)
        chosen = y.long().clamp(min=0).unsqueeze(0)
        labeled = bounds.gather(0, chosen) + self.classification_weight * log_q.gather(0, chosen)
        return -torch.where(y >= 0, labeled.squeeze(0), self.model._unlabeled(bounds, log_q)).sum()
