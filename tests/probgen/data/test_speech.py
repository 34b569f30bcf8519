"""Clips keep their samples, and the mask tells speech from padding."""

import dataclasses
import os

import pytest
import torch

from probgen.data import load_spoken_digits

needs_data = pytest.mark.skipif("PROBGEN_DATA" not in os.environ, reason="PROBGEN_DATA is not set")


def test_speech_mask_covers_the_clips():
    clips = load_spoken_digits()
    assert torch.equal(clips.mask.sum(1), clips.lengths)
    assert not clips.audio[~clips.mask].any()
    assert sorted(clips.digit.tolist()) == sorted([*range(10)] * 2)


def test_the_mask_is_where_the_lengths_are():
    clips = load_spoken_digits()
    moved = dataclasses.replace(clips, audio=clips.audio.to("meta"), lengths=clips.lengths.to("meta"))
    assert moved.mask.device == moved.lengths.device


def test_splits_hold_every_clip_once():
    clips = load_spoken_digits()
    parts = clips.splits()
    pairs = sorted((int(s), int(d)) for part in parts for s, d in zip(part.speaker, part.digit, strict=True))
    assert pairs == sorted((s, d) for s in range(2) for d in range(10))


@needs_data
def test_full_set():
    assert len(load_spoken_digits(full=True)) == 1000
