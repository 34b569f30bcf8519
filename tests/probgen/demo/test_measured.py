"""Measured figures survive a file, and are shown as they are."""

from probgen.demo import Measured, software


def test_written_and_read_back(tmp_path):
    found = Measured("Digits", ["17 levels.", software()])
    shown = found.add("Bits.", ["model", "bits"], [["flow", "<= 2.0 ± 0.1"]])
    assert "flow" in shown
    again = Measured.read(found.write(tmp_path / "folder" / "digits.json"))
    assert again.markdown() == found.markdown()
    assert "| flow  | <= 2.0 ± 0.1 |" in again.markdown()
