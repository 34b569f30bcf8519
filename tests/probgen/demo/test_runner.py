"""The whole demo runs at a tiny size and reports every part."""

from probgen.demo import ENTRIES

TWICE = [name for name, entry in ENTRIES.items() if not entry.serves_both]


def test_every_entry_is_trained_and_reported_unconditional_and_by_class(results, lines):
    assert len(lines) == 2 * len(ENTRIES) + 3
    assert list(results.models) == list(results.conditional) == list(ENTRIES)
    assert set(results.scores) == {name + suffix for name in ENTRIES for suffix in ("", ", by class")}


def test_a_model_that_serves_both_is_trained_once(results):
    assert set(results.seconds) == set(results.losses) == {f"{name}, by class" for name in TWICE} | set(ENTRIES)
    for name, entry in ENTRIES.items():
        assert (results.models[name] is results.conditional[name]) == entry.serves_both


def test_round_trip_is_small(results):
    assert all(score.round_trip < 1e-4 for name, score in results.scores.items() if score.kind == "exact")
