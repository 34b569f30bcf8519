"""The whole demo runs at a tiny size and reports every part."""

from dataclasses import replace

import pytest
import torch

from probgen.demo import ENTRIES, Settings, run

TWICE = [name for name, entry in ENTRIES.items() if not entry.serves_both]


def test_every_entry_is_trained_and_reported_unconditional_and_by_class(results, lines):
    assert len(lines) == 2 * len(ENTRIES) + 4
    assert list(results.models) == list(results.conditional) == list(results.families) == list(ENTRIES)
    assert set(results.scores) == {name + suffix for name in ENTRIES for suffix in ("", ", by class")}
    assert results.total_seconds > sum(results.seconds.values())


def test_a_model_that_serves_both_is_trained_once(results):
    assert set(results.seconds) == set(results.losses) == {f"{name}, by class" for name in TWICE} | set(ENTRIES)
    for name, entry in ENTRIES.items():
        assert (results.models[name] is results.conditional[name]) == entry.serves_both


def test_round_trip_is_small(results):
    found = [score for score in results.scores.values() if score.kind == "exact" and score.round_trip is not None]
    assert len(found) == 4
    assert all(score.round_trip < 1e-4 for score in found)


def test_the_seed_fixes_all_but_the_seconds(results):
    """Another run of some of the entries finds the same figures, whatever ran before."""
    torch.manual_seed(99)
    again = run(results.settings, only=["variational autoencoder", "adversarial network"], progress=False)
    for name in again.models:
        assert again.scores[name].bits == results.scores[name].bits
        assert again.quality[name].report.distance == results.quality[name].report.distance
        assert torch.equal(again.quality[name].draws, results.quality[name].draws)
        assert torch.equal(again.reweighted[name].images, results.reweighted[name].images)
    other = run(replace(results.settings, seed=1), only=["adversarial network"], progress=False)
    assert not torch.equal(other.quality["adversarial network"].draws, results.quality["adversarial network"].draws)


def test_an_unknown_entry_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"PixelCNN.*; got transformer"):
        run(Settings.smoke(), only=["transformer"], progress=False)
