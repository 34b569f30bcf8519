"""The bibliography: every work that a docstring names stands there once, in order, and with a link."""

import ast
import re
import unicodedata

import pytest

from tests.repository.tree import ROOT, parse, relative, source_files

ENTRY = re.compile(r"(?P<authors>[^()\d>][^()>]*) \((?P<year>1[89]\d\d|20\d\d)\)[.:,]? *(?P<title>.*)")
LIST = [line[2:] for line in (ROOT / "docs/bibliography.md").read_text(encoding="utf-8").splitlines() if line.startswith("- ")]
WITHOUT_A_LINK = {"kong 1992", "platt 1999", "rubin 1988", "von neumann 1951"}


def plain(text):
    """Without accents and capitals."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()


def key(entry):
    """First author, year and first word of the title; no word where only a link is given."""
    found = ENTRY.match(entry)
    first = plain(re.split(r",| et al| and ", found["authors"])[0].strip())
    words = re.findall(r"[\w+-]+", plain(re.sub(r"https?://\S+", "", found["title"])))
    return first, found["year"], words[0] if words else ""


def references(docstring):
    """The entries of a References section; a line that is no new entry goes on with the one before."""
    entries: list[str] = []
    for line in docstring.partition("References:")[2].strip("\n").splitlines():
        text = line.strip()
        if (not text and entries) or re.fullmatch(r"[A-Z]\w+:", text):
            break
        if ENTRY.match(text):
            entries.append(text)
        elif entries:
            entries[-1] += f" {text}"
    return entries


def cited():
    """Every work named in a docstring, with the first file that does."""
    found: dict[tuple[str, str, str], str] = {}
    for path in source_files():
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                for entry in references(ast.get_docstring(node) or ""):
                    found.setdefault(key(entry), relative(path))
    return found


KEYS = [key(entry) for entry in LIST]


def test_every_work_of_a_docstring_is_listed():
    without_titles = {listed[:2] for listed in KEYS}
    works = cited()
    assert len(works) > 250
    missing = {work: file for work, file in works.items() if work not in KEYS and (work[2] or work[:2] not in without_titles)}
    assert not missing, f"not in docs/bibliography.md: {missing}"


def test_every_work_of_a_page_is_listed():
    """References that stand on a line of their own, as pages have them."""
    line = re.compile(r"(?:- )?([^*<>`|{}]+ \(\d{4}\)\. )\*([^*]+)\*[^<]*<https?://[^>]+>")
    found = {}
    for path in [*(ROOT / "docs/derivations").glob("*.md"), *(ROOT / "docs/tutorials").glob("*.md")]:
        for text in path.read_text(encoding="utf-8").splitlines():
            if entry := line.fullmatch(text):
                found[key(entry[1] + entry[2])] = path.name
    assert len(found) > 50
    missing = {work: page for work, page in found.items() if work not in KEYS}
    assert not missing, f"not in docs/bibliography.md: {missing}"


def test_each_work_is_listed_once_and_in_order():
    assert len(KEYS) == len(set(KEYS)), [work for work in KEYS if KEYS.count(work) > 1]
    spelled = [(first.replace("-", " "), year) for first, year, _ in KEYS]
    assert spelled == sorted(spelled)


@pytest.mark.parametrize("number", range(len(LIST)))
def test_a_work_has_a_link(number):
    first, year, _ = KEYS[number]
    assert re.search(r"<https?://\S+>$", LIST[number]) or f"{first} {year}" in WITHOUT_A_LINK


def test_a_reference_over_two_lines_is_one():
    text = "A class.\n\nReferences:\n    Doe, Roe (2020). A long title that\n    goes on. https://example.org\n\nExample:\n"
    assert [key(entry) for entry in references(text)] == [("doe", "2020", "a")]
