"""Data print their shapes."""

from probgen.data import load_digits, load_shakespeare, load_spoken_digits


def test_embedded_data_print_in_a_line():
    for data in (load_digits(), load_spoken_digits(), load_shakespeare()):
        assert len(repr(data)) < 600
    assert "train=Split(x=uint8[1200, 8, 8], y=int64[1200])" in repr(load_digits())
