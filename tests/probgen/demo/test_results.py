"""The tables hold every entry."""

from probgen.demo import ENTRIES


def test_tables_have_a_row_or_column_for_every_entry(results):
    header, rows = results.score_table()
    assert len(rows) == 3 + 2 * len(ENTRIES)
    assert all(len(row) == len(header) for row in rows)
    assert results.outlier_table()[0][1:] == [name for name in ENTRIES if results.models[name].kind != "none"]
    assert [row[0] for row in results.class_table()[1]] == list(ENTRIES)
    assert len(results.plane_table()[1]) == 1
    header, rows = results.quality_table()
    assert [row[0] for row in rows] == ["test images", *ENTRIES]
    assert all(len(row) == len(header) for row in rows)


def test_a_bound_is_shown_as_one(results):
    shown = {row[0]: row[1] for row in results.score_table()[1]}
    for name, score in results.scores.items():
        assert shown[name].startswith("<= ") == (score.kind == "lower")


def test_a_model_without_density_has_no_bits_but_a_row(results):
    header, rows = results.score_table()
    shown = {row[0]: dict(zip(header, row, strict=True)) for row in rows}["adversarial network, by class"]
    assert shown["test bits/dim"] == shown["train bits/dim"] == "none (implicit)"
    assert (shown["round trip"], shown["training, s"]) == ("n/a", "as above")
    assert "adversarial network" not in results.outliers
    assert "adversarial network" not in results.accuracy
    assert results.class_table()[1][-1][1:3] == ["no density", "no density"]
