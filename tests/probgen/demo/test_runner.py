"""The whole demo runs at a tiny size and reports every part."""

from probgen.demo import ENTRIES


def test_every_entry_is_trained_twice_and_reported(results, lines):
    assert len(lines) == 2 * len(ENTRIES) + 2
    assert list(results.models) == list(results.conditional) == list(ENTRIES)
    assert set(results.scores) == {name + suffix for name in ENTRIES for suffix in ("", ", by class")}


def test_round_trip_is_small(results):
    assert all(score.round_trip < 1e-4 for score in results.scores.values())
