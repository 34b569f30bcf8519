"""The page is one file that begins with the comparison; figures are kept as data."""

import re

import pytest

from probgen.demo import ENTRIES, Measured, comparison_table, figures_of, write_page


@pytest.fixture(scope="module")
def text(results, tmp_path_factory):
    pytest.importorskip("matplotlib")
    return write_page(results, tmp_path_factory.mktemp("page") / "made" / "demo.html").read_text()


def test_page_is_one_file_for_any_width(text):
    assert all(f"<h2>{name}</h2>" in text for name in ENTRIES)
    assert "http" not in text
    assert "<script" not in text
    assert all(source.startswith("data:image/png;base64,") for source in re.findall(r'src="([^"]{30})', text))
    assert 'name="viewport"' in text


def test_it_begins_with_the_comparison(text, results):
    header, rows = comparison_table(results)
    first = text[text.index("<table>") : text.index("</table>")]
    assert first.count("<th>") == len(header)
    assert first.count("<tr>") == 1 + len(rows)
    assert text.index("<table>") < text.index("<ul>") < text.index("<h2>")


def test_the_figures_can_be_read_again(results, tmp_path):
    found = figures_of(results, "On a busy machine.")
    assert found.conditions[-1] == "On a busy machine."
    assert Measured.read(found.write(tmp_path / "demo.json")) == found
    assert [caption for caption, _, _ in found.tables] == ["The comparison.", "By class.", "Details."]
