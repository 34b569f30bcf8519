"""What is wrong with pages when a browser shows them, at a desk's width and at a phone's.

A page is loaded once from its file, without a network, and looked at in windows of several widths. Findings are

=========  ==================================================================================================
console    an error or a warning in the browser's console, or an exception in a script
request    something asked for that is not there, or that is not a file beside the page
formula    mathematics that was not typeset, or typeset as an error
picture    a picture that is not shown, or that has no alternative text
width      a page that scrolls sideways, something cut off at the right edge, or a page that asks a phone for a desk's width
link       a link inside the page that leads nowhere
search     the search page finds nothing, or what it finds does not open
=========  ==================================================================================================
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from tests.browser.chromium import chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

DESK, PHONE = 1280, 390
SCRIPT = Path(__file__).with_name("page.js")
LIMIT = 30_000  # milliseconds for a page to load and to typeset its formulas


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that is wrong with one page."""

    page: str
    kind: str
    detail: str
    width: int = 0


def pages_under(place: Path) -> list[Path]:
    """The HTML files of a folder (without what the theme ships in ``_static``), or the file itself."""
    if place.is_file():
        return [place]
    return sorted(path for path in place.rglob("*.html") if "_static" not in path.relative_to(place).parts)


@contextmanager
def listening(browser: Browser, name: str, findings: list[Finding]) -> Iterator[Page]:
    """A new page whose console and requests are written down."""
    page = browser.new_page(viewport={"width": DESK, "height": 900})
    page.set_default_timeout(LIMIT)

    def note(kind: str, detail: str) -> None:
        findings.append(Finding(name, kind, " ".join(detail.split())[:160]))

    def request(url: str) -> None:
        if not url.startswith(("file:", "data:", "blob:", "about:")):
            note("request", f"not a file: {url}")

    page.on("console", lambda message: note("console", message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: note("console", str(error)))
    page.on("request", lambda asked: request(asked.url))
    page.on("requestfailed", lambda asked: note("request", f"failed: {asked.url}"))
    try:
        yield page
    finally:
        page.close()


def open_page(page: Page, path: Path) -> None:
    """Load a file and wait until its formulas are typeset, its pictures decoded and its fonts there."""
    page.goto(path.resolve().as_uri(), wait_until="load")
    page.evaluate("window.MathJax?.startup?.promise?.then(() => null)")
    page.evaluate("document.fonts.ready.then(() => null)")


def check_page(browser: Browser, path: Path, name: str, widths: Iterable[int] = (DESK, PHONE)) -> list[Finding]:
    """The findings of one page."""
    findings: list[Finding] = []
    with listening(browser, name, findings) as page:
        open_page(page, path)
        seen: set[tuple[str, str]] = set()
        for width in widths:
            page.set_viewport_size({"width": width, "height": 900})
            page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(null))))")
            for kind, detail in page.evaluate(SCRIPT.read_text(encoding="utf-8")):
                if (kind, detail) not in seen:
                    findings.append(Finding(name, kind, detail, width if kind == "width" else 0))
                seen.add((kind, detail))
    return findings


def check_search(browser: Browser, root: Path, words: Iterable[str], limit: int = LIMIT // 3) -> list[Finding]:
    """Search for words as a reader does, and open the first thing that is found."""
    from playwright.sync_api import TimeoutError

    findings: list[Finding] = []
    for word in words:
        name = f"search.html?q={word}"
        with listening(browser, name, findings) as page:
            page.goto(f"{(root / 'search.html').resolve().as_uri()}?q={word}")
            try:
                link = page.wait_for_selector("#search-results li a", timeout=limit)
            except TimeoutError:
                findings.append(Finding(name, "search", "nothing is found"))
                continue
            target = link.get_attribute("href")
            link.click()
            page.wait_for_load_state("load")
            if word.lower() not in page.inner_text("article").lower():
                findings.append(Finding(name, "search", f"{target} does not have the word"))
    return findings


def check(place: Path, words: Iterable[str] = (), jobs: int = 1) -> list[Finding]:
    """The findings of a file, or of all pages of a folder and of its search; each job is a browser of its own."""
    root = place if place.is_dir() else place.parent
    paths = pages_under(place)
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        parts = [pool.submit(_check_pages, paths[job::jobs], root) for job in range(jobs)]
        if place.is_dir():
            parts.append(pool.submit(_check_search, root, tuple(words)))
        return sorted(finding for part in parts for finding in part.result())


def _check_pages(paths: list[Path], root: Path) -> list[Finding]:
    with chromium() as browser:
        return [finding for path in paths for finding in check_page(browser, path, path.relative_to(root).as_posix())]


def _check_search(root: Path, words: tuple[str, ...]) -> list[Finding]:
    with chromium() as browser:
        return check_search(browser, root, words)
