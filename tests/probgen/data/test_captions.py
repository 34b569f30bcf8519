"""Captions: true of their labels, readable both ways, unknown words named."""

import pytest
import torch

from probgen.data import DIGIT_WORDS, CaptionVocabulary, digit_captions, load_digits


def test_captions_say_only_what_the_label_says():
    labels = load_digits().train.y
    captions = digit_captions(labels, torch.Generator().manual_seed(0))
    for label, caption in zip(labels.tolist(), captions, strict=True):
        words = set(caption.split())
        parity = "even" if label % 2 == 0 else "odd"
        assert DIGIT_WORDS[label] in words or parity in words
        assert not words & (set(DIGIT_WORDS) - {DIGIT_WORDS[label]})
    vague = sum("number" in caption and ("even" in caption or "odd" in caption) for caption in captions)
    assert 0.1 < vague / len(captions) < 0.3
    assert captions == digit_captions(labels, torch.Generator().manual_seed(0))


def test_the_vocabulary_reads_what_it_writes():
    captions = digit_captions(torch.arange(10).repeat(30), torch.Generator().manual_seed(0))
    vocabulary = CaptionVocabulary(captions)
    tokens = vocabulary.encode(captions)
    assert tokens.shape == (300, vocabulary.length)
    assert vocabulary.decode(tokens) == captions
    assert int(tokens.max()) == len(vocabulary) - 1
    assert vocabulary.encode([]).shape == (0, vocabulary.length)
    assert vocabulary.encode(["A Four"]).tolist() == vocabulary.encode(["a four"]).tolist()
    assert repr(vocabulary) == f"CaptionVocabulary({len(vocabulary)} words, length {vocabulary.length})"


def test_what_cannot_be_read_is_named():
    vocabulary = CaptionVocabulary(["a four"])
    with pytest.raises(ValueError, match="with unknown"):
        vocabulary.encode(["a horse"])
    with pytest.raises(ValueError, match="may use 2 words"):
        vocabulary.encode(["a a four"])
    with pytest.raises(ValueError, match="`length` must be at least"):
        CaptionVocabulary(["a four"], length=1)
    with pytest.raises(ValueError, match="at least one text"):
        CaptionVocabulary([])
    with pytest.raises(ValueError, match="`labels` must be digits"):
        digit_captions(torch.tensor([10]))
