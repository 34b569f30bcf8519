"""The tables of details hold every entry."""

from probgen.demo import ENTRIES


def test_tables_have_a_row_or_column_for_every_entry(results):
    assert results.outlier_table()[0][1:] == [name for name in ENTRIES if results.models[name].kind != "none"]
    assert len(results.plane_table()[1]) == 1
    for table, first in ((results.class_table(), []), (results.detail_table(), ["test images"])):
        header, rows = table
        assert [row[0] for row in rows] == [*first, *ENTRIES]
        assert all(len(row) == len(header) for row in rows)


def test_a_bound_is_shown_as_one(results):
    header, rows = results.class_table()
    for row in rows:
        kind = results.scores[f"{row[0]}, by class"].kind
        assert row[header.index("test bits/dim")].startswith("<= ") == (kind == "lower")


def test_a_model_without_density_has_no_bits_but_a_row(results):
    header, rows = results.class_table()
    shown = dict(zip(header, rows[-1], strict=True))
    assert shown["test bits/dim"] == "none"
    assert shown["accuracy of Bayes' rule"] == shown["reweighted draws in their class"] == "no density"
    assert "adversarial network" not in results.outliers
    header, rows = results.detail_table()
    assert dict(zip(header, rows[-1], strict=True))["round trip"] == "none"
