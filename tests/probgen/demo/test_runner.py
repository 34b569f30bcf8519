"""The whole demo runs at a tiny size, and its tables and page hold every entry."""

from dataclasses import replace

import pytest

from probgen.demo import ENTRIES, Settings, run, write_page


@pytest.fixture(scope="module")
def results():
    lines = []
    found = run(replace(Settings.smoke(), steps=2, toys=1, samples=50), report=lines.append, progress=False)
    assert len(lines) == 2 * len(ENTRIES) + 2
    return found


def test_tables_have_a_row_or_column_for_every_entry(results):
    header, rows = results.score_table()
    assert len(rows) == 3 + 2 * len(ENTRIES)
    assert all(len(row) == len(header) for row in rows)
    assert results.outlier_table()[0][1:] == list(ENTRIES)
    assert [row[0] for row in results.class_table()[1]] == list(ENTRIES)
    assert len(results.plane_table()[1]) == 1


def test_round_trip_is_small(results):
    assert all(score.round_trip < 1e-4 for score in results.scores.values())


def test_page_is_one_file(results, tmp_path):
    pytest.importorskip("matplotlib")
    text = write_page(results, tmp_path / "demo.html").read_text()
    assert all(f"<h2>{name}</h2>" in text for name in ENTRIES)
    assert "http" not in text
