"""The one table: a row a model, kinds stated, the floor first; sentences made of its figures."""

from dataclasses import replace

from probgen.demo import ENTRIES, comparison_table, findings
from probgen.metrics import MeanError


def rows_of(results):
    header, rows = comparison_table(results)
    return {row[0]: dict(zip(header, row, strict=True)) for row in rows}


def test_every_model_has_a_row_and_its_family(results):
    rows = rows_of(results)
    assert list(rows) == ["test images", *ENTRIES]
    assert [row["family"] for row in rows.values()] == ["real", *(entry.family for entry in ENTRIES.values())]


def test_kinds_are_stated(results):
    rows = rows_of(results)
    assert rows["Glow"]["kind"] == "exact density"
    assert rows["PixelCNN"]["kind"] == "exact"
    assert rows["diffusion"]["kind"] == rows["variational autoencoder"]["kind"] == "bound"
    assert {rows["adversarial network"][key] for key in ("test bits/dim", "kind", "test - training bits")} == {"none"}
    exact = {name for name, row in rows.items() if row["exact likelihood"] == "yes"}
    assert exact == {"spline coupling", "spline autoregressive", "Glow", "PixelCNN"}


def test_costs_are_those_of_the_models(results):
    for name, row in rows_of(results).items():
        if name in ENTRIES:
            size = sum(parameter.numel() for parameter in results.models[name].parameters())
            assert row["parameters"] == f"{size:,}"
            assert float(row["1000 draws, s"]) > 0


def test_sentences_follow_the_figures(results):
    """With other bits and other distances other models are named."""
    sentences = findings(results)
    assert len(sentences) == 5
    assert "No likelihood: adversarial network." in sentences[0]
    scores = dict(results.scores)
    for name in ("diffusion", "Glow"):
        best = replace(scores[name], bits=MeanError(0.123, 0.001))
        found = findings(replace(results, scores={**scores, name: best}))
        assert found[0].startswith(f"Fewest bits a pixel: {name} (")
        assert "0.123 ± 0.001" in found[0]
    only = {name: results.models[name] for name in ("adversarial network",)}
    assert findings(replace(results, models=only))[0] == "No model here has a likelihood."
