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
