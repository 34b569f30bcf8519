"""Features of a classifier: accurate, reproducible, labeled, and strict about what it is given."""

import copy
import pickle

import pytest
import torch

from probgen.data import load_digits
from probgen.metrics import ClassifierFeatures, frechet_report, train_classifier_features


@pytest.fixture(scope="module")
def digits():
    return load_digits()


@pytest.fixture(scope="module")
def extractor(digits):
    train, test = (digits.train.x, digits.train.labels), (digits.test.x, digits.test.labels)
    return train_classifier_features(*train, test=test, name="digits classifier")


def test_digits_are_recognized(extractor, digits):
    assert extractor.test_accuracy.mean > 0.97
    right = extractor.classify(digits.test.x).argmax(-1) == digits.test.labels
    assert extractor.test_accuracy.mean == pytest.approx(float(right.double().mean()))
    share = f"{100 * extractor.test_accuracy.mean:.1f}"
    assert str(extractor) == f"digits classifier, 64 features, test accuracy {share} %"
    assert "digits classifier, 64 features" in repr(extractor)


def test_it_is_frozen_and_an_extractor(extractor, digits):
    assert not extractor.training
    assert not any(parameter.requires_grad for parameter in extractor.parameters())
    features = extractor(digits.test.x)
    assert features.shape == (397, 64)
    assert torch.allclose(features.square().mean(-1), torch.ones(397), atol=1e-3)
    assert torch.equal(extractor(digits.test.x), features)
    assert torch.allclose(extractor(digits.test.x.float()), features)
    assert extractor(digits.test.x[:0]).shape == (0, 64)


def test_copies_give_the_same_features(extractor, digits):
    features = extractor(digits.test.x)
    fresh = ClassifierFeatures((8, 8), 10)
    fresh.load_state_dict(extractor.state_dict())
    for twin in (copy.deepcopy(extractor), pickle.loads(pickle.dumps(extractor)), fresh.eval()):
        assert torch.equal(twin(digits.test.x), features)
    assert copy.deepcopy(extractor).double()(digits.test.x).dtype == torch.float64


def test_the_report_carries_its_name_and_ranks_distortions(extractor, digits):
    generator = torch.Generator().manual_seed(0)
    reports = []
    for noise in (0.0, 2.0, 6.0):
        distorted = digits.validation.x + noise * torch.randn(digits.validation.x.shape, generator=generator)
        reports.append(frechet_report(distorted, digits.train.x, digits.test.x, extractor))
    assert "digits classifier, 64 features, test accuracy" in str(reports[0])
    assert reports[0].distance.mean < reports[1].distance.mean < reports[2].distance.mean
    assert reports[0].distance.mean < 3 * reports[0].floor.mean


def test_the_seed_decides_and_the_global_state_is_left_alone(digits):
    train = (digits.train.x[:300], digits.train.labels[:300])
    state = torch.random.get_rng_state()
    first, again, other = (train_classifier_features(*train, steps=5, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(first(digits.test.x), again(digits.test.x))
    assert not torch.equal(first(digits.test.x), other(digits.test.x))


@pytest.mark.parametrize("shape", [(3, 11, 28), (1, 17, 30), (28, 28), (3, 4)])
def test_images_of_any_size_and_channels(shape):
    images, labels = torch.rand(130, *shape), torch.arange(130) % 3
    extractor = train_classifier_features(images, labels, steps=2, num_features=5)
    assert extractor(images[:4]).shape == (4, 5)
    assert extractor.classify(images[:4]).exp().sum(-1).tolist() == pytest.approx([1.0] * 4)


def test_an_untrained_one_says_so():
    assert str(ClassifierFeatures((8, 8), 10, name="digits")) == "digits, 64 features, untrained"


def test_errors(extractor):
    with pytest.raises(ValueError, match=r"`examples` of the digits classifier must have shape \[n, 8, 8\]; got \(5, 28, 28\)"):
        extractor(torch.zeros(5, 28, 28))
    with pytest.raises(ValueError, match=r"`image_shape` must be \(C, H, W\) or \(H, W\), .*got \(64,\)"):
        ClassifierFeatures((64,), 10)
    with pytest.raises(ValueError, match="`num_classes` must be at least 2; got 1"):
        ClassifierFeatures((8, 8), 1)
    with pytest.raises(ValueError, match=r"`labels` integers \[n\]; got \(5, 8, 8\) and torch.int64 \(4,\)"):
        train_classifier_features(torch.zeros(5, 8, 8), torch.zeros(4).long())
    with pytest.raises(ValueError, match="at least one batch of 64 for training; got 8"):
        train_classifier_features(torch.zeros(10, 8, 8), torch.zeros(10).long())
