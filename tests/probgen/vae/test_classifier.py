"""Classifiers: laws of labels, losses by hand, a start from an encoder."""

import pytest
import torch
from torch import nn

import probgen as pg
from probgen.vae import ClassificationLoss, Classifier, classifier_on_codes, mlp_autoencoder, mlp_classifier


@pytest.mark.parametrize("batch", [(), (5,), (2, 3), (0,)], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_any_batch(batch, dtype):
    classifier = mlp_classifier((2, 2), 3, hidden=(8,)).to(dtype)
    x, y = torch.randn(*batch, 2, 2, dtype=dtype), torch.randint(0, 3, batch)
    law = classifier(x)
    assert law.probs.shape == (*batch, 3)
    assert law.probs.dtype == dtype
    assert law.sample().shape == batch
    assert classifier.loss()(x, y).shape == ()
    if y.numel():
        torch.testing.assert_close(classifier.loss()(x, y), -law.log_prob(y).mean())
    else:
        assert ClassificationLoss(classifier)(x, y) == 0


def test_loss_is_the_cross_entropy():
    classifier, x, y = mlp_classifier((4,), 3), torch.randn(7, 4), torch.randint(0, 3, (7,))
    torch.testing.assert_close(classifier.loss()(x, y), nn.functional.cross_entropy(classifier.network(x), y))


def test_it_learns():
    x = torch.randn(200, 2)
    y = (x[:, 0] > x[:, 1]).long()
    classifier = mlp_classifier((2,), 2, hidden=(16,))
    pg.infer.fit(
        pg.infer.compile(classifier.loss(), backend="eager"),
        [(x, y)],
        lambda parameters: torch.optim.Adam(parameters, lr=0.03),
        steps=100,
        progress=False,
    )
    assert (classifier(x).logits.argmax(-1) == y).float().mean() > 0.95


def test_codes_are_copied_not_shared():
    autoencoder = mlp_autoencoder((4,), 3, hidden=(8,)).double()
    classifier = classifier_on_codes(autoencoder, 5)
    x = torch.randn(6, 4).double()
    kept = autoencoder.encode(x).clone()
    expected = classifier.network[-1](autoencoder.encode(x).relu())
    torch.testing.assert_close(classifier(x).logits.softmax(-1), expected.softmax(-1))
    with torch.no_grad():
        for parameter in classifier.parameters():
            parameter.add_(1.0)
    assert torch.equal(autoencoder.encode(x), kept)


def test_errors():
    with pytest.raises(ValueError, match="`num_classes` must be at least 2; got 1"):
        Classifier(nn.Identity(), (4,), 1)
    with pytest.raises(ValueError, match=r"must end with \(4,\); got \(5, 3\)"):
        mlp_classifier((4,), 2)(torch.zeros(5, 3))
    with pytest.raises(ValueError, match=r"must give 2 logits for each of 5 data; got \(5, 4\)"):
        Classifier(nn.Identity(), (4,), 2)(torch.zeros(5, 4))


@pytest.mark.parametrize("count", [1, 3])
def test_there_must_be_one_label_a_datum(count):
    """Fewer labels than data were taken for those of the first data."""
    with pytest.raises(ValueError, match=r"`y` must hold one label for each datum, \(5,\); got shape"):
        mlp_classifier((4,), 3).loss()(torch.zeros(5, 4), torch.zeros(count, dtype=torch.long))
