"""Pages are self-contained and escape what they are given."""

import re

import pytest
import torch

from probgen.plot import Page, image_grid


def test_page_has_no_links_to_anything(tmp_path):
    pytest.importorskip("matplotlib")
    page = Page("A & B")
    page.heading("<h>")
    page.table(["x<y"], [[1.5], ["<b>"]])
    page.figure(image_grid(torch.rand(2, 4, 4), columns=2), 'a "caption"')
    text = page.write(tmp_path / "deep" / "page.html").read_text()
    assert not re.search(r"https?://|<script|<link", text)
    assert "A &amp; B" in text
    assert "<b>" not in text
    assert "data:image/png;base64," in text


def test_a_phone_shows_it_at_its_own_width_and_scrolls_wide_tables():
    page = Page("Wide")
    page.table([f"column {k}" for k in range(30)], [list(range(30))])
    text = page.render()
    assert '<meta name="viewport" content="width=device-width' in text
    (style,) = re.findall(r'<div class="(\w+)"><table>', text)
    assert re.search(rf"\.{style} {{ overflow-x: auto;", text)
