"""The checks find what is planted: a page without faults passes, each fault is found under its name."""

import pytest

from probgen.plot import Page
from tests.browser.check import check_page, check_search
from tests.browser.chromium import chromium, executable
from tests.repository.tree import ROOT

pytest.importorskip("playwright", reason="`make browser` installs it")
if executable() is None:
    pytest.skip("Chromium is not installed", allow_module_level=True)

pytestmark = pytest.mark.slow  # `make browser` runs them

HEAD = '<meta charset="utf-8"><meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">'
MATHJAX = f'<script src="{(ROOT / "docs/_static/mathjax/tex-svg.js").as_uri()}"></script>'
WIDE = "<table><tr>" + "<td>something_long_without_a_break</td>" * 4 + "</tr></table>"
DOT = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


def kinds(browser, tmp_path, body, head=HEAD):
    path = tmp_path / "page.html"
    path.write_text(f"<!doctype html><html lang='en'><head>{head}<title>t</title></head><body>{body}</body></html>")
    return {finding.kind for finding in check_page(browser, path, "page.html")}


def test_a_page_without_faults_passes(browser, tmp_path):
    body = (
        f"<h1 id='a'>A</h1><p>Costs <code>$$</code> <span class='math'>\\(\\frac12 \\log x\\)</span></p><a href='#a'>up</a>"
        f"<div style='overflow-x: auto'>{WIDE}</div><img src='{DOT}' alt='A dot.'>"
    )
    assert kinds(browser, tmp_path, body, HEAD + MATHJAX) == set()


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("console", "<script>console.error('no')</script>"),
        ("console", "<script>undefinedName.call()</script>"),
        ("console", "<script>Promise.reject(new Error('no'))</script>"),
        ("request", "<script src='missing.js'></script>"),
        ("request", "<img src='http://127.0.0.1:9/dot.png' alt='A dot.'>"),
        ("picture", "<img src='missing.png' alt='A dot.'>"),
        ("picture", f"<img src='{DOT}'>"),
        ("picture", f"<img src='{DOT}' alt='../_images/3cc5.png'>"),
        ("width", WIDE),
        ("width", f"<div style='overflow-x: hidden'>{WIDE}</div>"),
        ("width", "<p>" + "m" * 100 + "</p>"),
        ("formula", "<p>by \\(\\frac12\\) of them</p>"),
        ("formula", "<p><span class='math'>x</span></p>"),
        ("link", "<a href='#nowhere'>there</a>"),
        ("table", "<p>| a | b | | --- | --- | | 1 | 2 |</p>"),
    ],
)
def test_a_fault_is_found(browser, tmp_path, kind, body):
    assert kind in kinds(browser, tmp_path, body)


def test_pages_of_results_fit_a_phone_whatever_they_say(browser, tmp_path):
    text = "as advised: " + "FreeBits(nats=0.5,per='unit')" * 4
    page = Page(text)
    page.heading(text)
    page.text(text)
    page.items([text])
    page.table([text, text], [[text, text]])
    assert check_page(browser, page.write(tmp_path / "page.html"), "page.html") == []


@pytest.mark.parametrize("formula", ["\\frac{1", "\\nosuchmacro", "\\left( x", "a^b^c"])
def test_a_broken_formula_is_found(browser, tmp_path, formula):
    assert kinds(browser, tmp_path, f"<p><span class='math'>\\({formula}\\)</span></p>", HEAD + MATHJAX) == {"formula"}


def test_a_page_for_desks_only_is_found(browser, tmp_path):
    assert kinds(browser, tmp_path, "<p>x</p>", HEAD.replace("viewport", "author")) == {"width"}


@pytest.mark.parametrize(("found", "problem"), [("ELBO", None), ("else", "does not have the word"), (None, "nothing is found")])
def test_search_has_to_find_the_word(browser, tmp_path, found, problem):
    results = f"<li><a href='target.html'>{found}</a></li>" if found else ""
    (tmp_path / "search.html").write_text(f"{HEAD}<ul id='search-results'>{results}</ul>")
    (tmp_path / "target.html").write_text(f"{HEAD}<article>{found}</article>")
    limit = 500 if found is None else 20_000  # what is there may be slow to come
    details = [finding.detail for finding in check_search(browser, tmp_path, ["ELBO"], limit=limit)]
    assert len(details) == (problem is not None)
    assert all(problem in detail for detail in details)
