"""Text round-trips through its codes."""

import os

import pytest

from probgen.data import load_shakespeare

needs_data = pytest.mark.skipif("PROBGEN_DATA" not in os.environ, reason="PROBGEN_DATA is not set")


def test_text_round_trip_and_unknown_symbols():
    text = load_shakespeare()
    sentence = "To be, or not to be"
    assert text.decode(text.encode(sentence)) == sentence
    with pytest.raises(ValueError, match="alphabet"):
        text.encode("é")


@needs_data
def test_full_text():
    assert len(load_shakespeare(full=True).symbols) == 65
