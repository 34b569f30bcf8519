"""Embedded digits load without PROBGEN_DATA; other images where PROBGEN_DATA points to them."""

import dataclasses
import gzip
import hashlib
import os

import numpy
import pytest
import torch

from probgen.data import images, load_binary_digits, load_digits, load_faces, load_fashion_mnist, load_mnist

LABELS = [1, 3, 7, 0, 7, 8, 6, 4]
"""The first test labels, frozen: the split must not change between versions."""

needs_data = pytest.mark.skipif("PROBGEN_DATA" not in os.environ, reason="PROBGEN_DATA is not set")


def test_digits_agree_with_scikit_learn():
    reference = pytest.importorskip("sklearn.datasets").load_digits()
    digits = load_digits()
    splits = (digits.train, digits.validation, digits.test)
    ours = torch.cat([split.x for split in splits]).reshape(-1, 64)
    theirs = torch.from_numpy(reference.images).reshape(-1, 64)

    def keyed(x, y):
        return sorted((*row, label) for row, label in zip(x.int().tolist(), y.tolist(), strict=True))

    assert keyed(ours, torch.cat([split.y for split in splits])) == keyed(theirs, torch.from_numpy(reference.target))


def test_digits_are_the_same_on_every_load_and_hold_every_class():
    first, second = load_digits(), load_digits()
    for name in ("train", "validation", "test"):
        one, other = getattr(first, name), getattr(second, name)
        assert torch.equal(one.x, other.x)
        assert one.y.unique().tolist() == list(range(10))
    assert first.test.y[:8].tolist() == LABELS


def test_binary_digits_are_those_of_the_published_figures():
    """Independent pixels with the frequencies of the 1 297 others (plus one of each) take 25.279 nats a test image."""
    digits = load_binary_digits()
    reference = pytest.importorskip("sklearn.datasets").load_digits()
    order = numpy.random.RandomState(0).permutation(1797)[1297:]
    assert torch.equal(digits.test.x.double(), torch.from_numpy(reference.images[order] >= 8).double())
    assert torch.equal(digits.test.labels, torch.from_numpy(reference.target[order]).long())
    frequency = (torch.cat([digits.train.x, digits.validation.x]).double().sum(0) + 1) / 1299
    nats = -torch.distributions.Bernoulli(frequency).log_prob(digits.test.x.double()).sum((1, 2)).mean()
    assert abs(nats - 25.279) < 1e-3


@needs_data
def test_mnist():
    mnist = load_mnist()
    assert [len(split) for split in (mnist.train, mnist.validation, mnist.test)] == [50_000, 10_000, 10_000]
    assert mnist.train.y[:1000].bincount(minlength=10).min() > 50  # shuffled


@needs_data
def test_faces():
    assert load_faces().test.y.tolist() == list(range(40))


@pytest.mark.skipif(
    not os.path.exists("/usr/share/datasets/fashion-mnist"), reason="Debian's dataset-fashion-mnist is not installed"
)
def test_fashion_mnist():
    assert load_fashion_mnist().train.x.shape == (50_000, 28, 28)


def test_idx_files_are_read_where_the_archive_is_missing(tmp_path, monkeypatch):
    """Four tiny IDX files stand for MNIST; their checksums are what is expected in this test only."""
    monkeypatch.setenv("PROBGEN_DATA", str(tmp_path))
    (tmp_path / "mnist").mkdir()
    sums = []
    for name, shape in zip(images._PARTS, [(10_010, 2, 2), (10_010,), (5, 2, 2), (5,)], strict=True):
        header = bytes([0, 0, 8, len(shape)]) + b"".join(size.to_bytes(4, "big") for size in shape)
        content = gzip.compress(header + bytes(torch.tensor(shape).prod().item()), mtime=0)
        (tmp_path / "mnist" / name).write_bytes(content)
        sums.append(hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(images, "_MNIST_SHA256", tuple(sums))
    mnist = load_mnist()
    assert [len(split) for split in (mnist.train, mnist.validation, mnist.test)] == [10, 10_000, 5]


def _stand_in(folder, file, **arrays):
    """Made arrays in the place of a data set's file, with their own checksum."""
    numpy.savez(folder / file.name, **arrays)
    return dataclasses.replace(file, sha256=hashlib.sha256((folder / file.name).read_bytes()).hexdigest())


def test_faces_give_eight_images_of_everybody_to_training(tmp_path, monkeypatch):
    person = numpy.random.default_rng(0).permutation(numpy.repeat(numpy.arange(1, 41, dtype=numpy.uint8), 10))
    pixels = numpy.arange(400, dtype=numpy.uint16).reshape(400, 1, 1)
    monkeypatch.setenv("PROBGEN_DATA", str(tmp_path))
    monkeypatch.setattr(images, "_FACES", _stand_in(tmp_path, images._FACES, x=pixels, subject=person))
    faces = load_faces()
    assert faces.train.y.bincount().tolist() == [8] * 40
    assert faces.validation.y.tolist() == faces.test.y.tolist() == list(range(40))
    seen = torch.cat([split.x.flatten() for split in (faces.train, faces.validation, faces.test)]).long()
    assert seen.sort().values.tolist() == list(range(400))
    assert all(person[image] - 1 == label for image, label in zip(faces.test.x.flatten().tolist(), faces.test.y, strict=True))


def test_the_archive_of_mnist_is_read_first(tmp_path, monkeypatch):
    arrays = {"train_x": numpy.zeros((10_004, 1, 1), numpy.uint8), "train_y": numpy.zeros(10_004, numpy.uint8)}
    arrays |= {"test_x": numpy.arange(7, dtype=numpy.uint8).reshape(7, 1, 1), "test_y": numpy.arange(7, dtype=numpy.uint8)}
    monkeypatch.setenv("PROBGEN_DATA", str(tmp_path))
    monkeypatch.setattr(images, "_MNIST", _stand_in(tmp_path, images._MNIST, **arrays))
    mnist = load_mnist()
    assert [len(split) for split in (mnist.train, mnist.validation, mnist.test)] == [4, 10_000, 7]
    assert mnist.test.y.dtype == torch.int64
    assert torch.equal(mnist.test.x.flatten().long(), mnist.test.y)  # shuffled together
