r"""The classifier two-sample test: can a classifier that has seen some of both sets tell the rest apart?

Half of each set trains a classifier, the other half tests it. If both sets have one law its test accuracy is that of tossing a
coin, whatever the classifier: with :math:`n` test examples, of equal numbers, the number of right answers is

.. math:: n\, \mathrm{accuracy} \sim \mathrm{Binomial}(n, \tfrac12),

which gives an exact p-value. An accuracy above one half is a lower bound of the best one, :math:`\tfrac12 + \tfrac12
\mathrm{TV}(p, q)`, so :math:`2\, \mathrm{accuracy} - 1` estimates a lower bound of the total variation.

References:
    Lopez-Paz, Oquab (2017). Revisiting classifier two-sample tests. https://arxiv.org/abs/1610.06545
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from probgen.metrics._checks import as_feature_pair
from probgen.metrics.likelihood import MeanError, mean_and_error
from probgen.nn import MLP

__all__ = ["TwoSampleReport", "classifier_two_sample_test"]


@dataclass(frozen=True, repr=False)
class TwoSampleReport:
    """What a classifier two-sample test found; prints as one line.

    Attributes:
        accuracy: On test examples, one half from each set.
        p_value: The chance of an accuracy as high, if both sets have one law.
        num_test: Test examples.

    Example:
        >>> from probgen.metrics import MeanError, TwoSampleReport
        >>> TwoSampleReport(MeanError(0.75, 0.03), 1e-9, 200)
        accuracy 0.750 ± 0.030 (1/2 for one law), p-value 1e-09, 200 test examples
    """

    accuracy: MeanError
    p_value: float
    num_test: int

    def __repr__(self) -> str:
        return f"accuracy {self.accuracy} (1/2 for one law), p-value {self.p_value:.2g}, {self.num_test} test examples"


def classifier_two_sample_test(
    features_a: Tensor, features_b: Tensor, *, hidden: tuple[int, ...] = (64,), steps: int = 300, seed: int = 0
) -> TwoSampleReport:
    """Train a small network to tell two sets of features apart, and test it on examples that it has not seen.

    The examples are taken to be independent: an example that stands in both sets is a contradiction that the network learns,
    and the accuracy falls below one half.

    Args:
        features_a: One set, ``[n, features]``, at least four rows; of the larger set as many are used as the smaller one has.
        features_b: The other, ``[m, features]``.
        hidden: Widths of the network's hidden layers; () for logistic regression.
        steps: Steps of Adam on all training examples.
        seed: Of the split and of the network.

    Raises:
        ValueError: shapes do not fit, too few rows, NaN or infinity.

    References:
        Lopez-Paz, Oquab (2017). Revisiting classifier two-sample tests. https://arxiv.org/abs/1610.06545

    Example:
        >>> import torch
        >>> from probgen.metrics import classifier_two_sample_test
        >>> generator = torch.Generator().manual_seed(0)
        >>> a, b = torch.randn(2, 400, 3, generator=generator)
        >>> classifier_two_sample_test(a, b).p_value > 1e-3, classifier_two_sample_test(a, b + 1).p_value < 1e-6
        (True, True)
    """
    a, b = as_feature_pair(("features_a", "features_b"), features_a, features_b, least=4)
    generator, number = torch.Generator().manual_seed(seed), min(len(a), len(b)) // 2
    a, b = (x[torch.randperm(len(x), generator=generator).to(x.device)[: 2 * number]] for x in (a, b))
    train, test = torch.cat([a[:number], b[:number]]), torch.cat([a[number:], b[number:]])
    center, spread = train.mean(0), train.std(0).clamp_min(1e-12)
    labels = torch.arange(2 * number, device=train.device) < number
    network = _trained(((train - center) / spread).float(), labels.float(), hidden, steps, seed)
    with torch.no_grad():
        right = (network(((test - center) / spread).float())[:, 0] > 0) == labels
    return TwoSampleReport(mean_and_error(right.double()), _tail(int(right.sum()), 2 * number), 2 * number)


def _trained(x: Tensor, labels: Tensor, hidden: tuple[int, ...], steps: int, seed: int) -> MLP:
    with torch.random.fork_rng(devices=[]), torch.inference_mode(mode=False), torch.enable_grad():
        torch.manual_seed(seed)
        network = MLP(x.shape[1], 1, hidden=hidden).to(x.device)
        x, labels = x.clone(), labels.clone()
    optimizer = torch.optim.Adam(network.parameters(), 1e-2, weight_decay=1e-4)
    with torch.inference_mode(mode=False), torch.enable_grad():
        for _ in range(steps):
            optimizer.zero_grad()
            binary_cross_entropy_with_logits(network(x)[:, 0], labels).backward()
            optimizer.step()
    return network


def _tail(right: int, number: int) -> float:
    """The chance of at least that many heads among so many coins."""
    from scipy.stats import binom

    return float(binom.sf(right - 1, number, 0.5))
