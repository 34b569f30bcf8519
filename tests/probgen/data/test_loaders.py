"""Embedded data load without PROBGEN_DATA; the rest loads where PROBGEN_DATA points to it."""

import os

import pytest
import torch

from probgen.data import load_digits, load_faces, load_mnist, load_shakespeare, load_spoken_digits, load_uci

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


def test_speech_mask_covers_the_clips():
    clips = load_spoken_digits()
    assert torch.equal(clips.mask.sum(1), clips.lengths)
    assert not clips.audio[~clips.mask].any()
    assert sorted(clips.digit.tolist()) == sorted([*range(10)] * 2)


def test_text_round_trip_and_unknown_symbols():
    text = load_shakespeare()
    sentence = "To be, or not to be"
    assert text.decode(text.encode(sentence)) == sentence
    with pytest.raises(ValueError, match="alphabet"):
        text.encode("é")


def test_unknown_table():
    with pytest.raises(ValueError, match="'iris'"):
        load_uci("iris")


@needs_data
def test_mnist():
    mnist = load_mnist()
    assert [len(split) for split in (mnist.train, mnist.validation, mnist.test)] == [50_000, 10_000, 10_000]
    assert mnist.train.y[:1000].bincount(minlength=10).min() > 50  # shuffled


@needs_data
@pytest.mark.parametrize("name", ["wine", "parkinsons"])
def test_tables_are_standardized_on_the_training_rows(name):
    table = load_uci(name)
    assert torch.allclose(table.train.x.mean(0), torch.zeros(table.train.x.shape[1]), atol=1e-4)
    assert torch.allclose(table.train.y.std(), torch.ones(()), atol=1e-4)


@needs_data
def test_faces_and_full_sets():
    faces = load_faces()
    assert faces.test.y.tolist() == list(range(40))
    assert len(load_shakespeare(full=True).symbols) == 65
    assert len(load_spoken_digits(full=True)) == 1000
