"""One measure for the draws of every family: real images reach the floor, copies of one image and noise do not."""

import pytest
import torch

from probgen.demo import DrawQuality, ImageModel, Settings, draw_quality, image_features, load_problem, quality_of


@pytest.fixture(scope="module")
def problem():
    return load_problem(Settings())


@pytest.fixture(scope="module")
def extractor(problem):
    return image_features(problem, steps=100, seed=0)


class Copies(ImageModel):
    """A model that knows the training images, the first few of each digit."""

    def __init__(self, problem, each):
        super().__init__()
        self.images, self.labels, self.each = (problem.train.x + 0.5) / 17, problem.train.labels, each

    def sample(self, n, label=None):
        label = torch.arange(n) % 10 if label is None else label
        known = torch.stack([self.images[self.labels == k][: self.each] for k in range(10)])
        return known[label, torch.randint(self.each, label.shape)]


def test_the_test_images_are_the_floor(problem, extractor):
    test = problem.test_v[0]
    found = quality_of(test, test, problem.test.labels, problem, extractor)
    assert found.report.distance.mean == pytest.approx(found.report.floor.mean)
    assert found.read.mean == pytest.approx(extractor.test_accuracy.mean)
    assert found.overlap.coverage.mean > 0.9


def test_dequantization_changes_nothing(problem, extractor):
    images = [(problem.test.x + u) / 17 for u in (0.01, 0.99)]
    low, high = (quality_of(v, v, problem.test.labels, problem, extractor) for v in images)
    assert low[:3] == high[:3]
    assert torch.equal(low.nearest.images, high.nearest.images)


def test_few_copies_are_precise_but_cover_little(problem, extractor):
    many, few = (draw_quality(Copies(problem, n), Copies(problem, n), problem, extractor, seed=0) for n in (90, 1))
    assert isinstance(few, DrawQuality)
    assert few.overlap.precision.mean > 0.9
    assert few.overlap.coverage.mean < 0.3 < many.overlap.coverage.mean
    assert few.report.distance.mean > 3 * many.report.distance.mean
    assert few.read.mean > 0.8
    assert few.nearest.distances.max() < 1e-6


def test_noise_is_far_and_is_read_by_chance(problem, extractor):
    v, labels = torch.rand(400, 64, generator=torch.Generator().manual_seed(0)), torch.arange(400) % 10
    found = quality_of(v, v, labels, problem, extractor)
    assert found.report.distance.mean > 20 * found.report.floor.mean
    assert found.read.mean < 0.25
    assert found.distance == f"{found.report.distance.mean:.2f} ± {found.report.distance.error:.2f}"
    assert found.nearest.mean.mean > 0.25
