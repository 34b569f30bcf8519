"""The tables hold every entry."""

from probgen.demo import ENTRIES


def test_tables_have_a_row_or_column_for_every_entry(results):
    header, rows = results.score_table()
    assert len(rows) == 3 + 2 * len(ENTRIES)
    assert all(len(row) == len(header) for row in rows)
    assert results.outlier_table()[0][1:] == list(ENTRIES)
    assert [row[0] for row in results.class_table()[1]] == list(ENTRIES)
    assert len(results.plane_table()[1]) == 1


def test_a_bound_is_shown_as_one(results):
    shown = {row[0]: row[1] for row in results.score_table()[1]}
    for name, score in results.scores.items():
        assert shown[name].startswith("<= ") == (score.kind == "lower")
