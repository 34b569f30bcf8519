"""Chromium without a window: found on this machine, started offline, asked for pages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
HOW_TO_INSTALL = (
    "The pages are looked at in Chromium, which is not installed (looked for " + ", ".join(NAMES) + "). "
    "Debian and Ubuntu: `sudo apt-get install chromium`; Fedora: `sudo dnf install chromium`; macOS: `brew install chromium`; "
    "one in another place: `CHROMIUM=/path/to/it`."
)
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def executable() -> str | None:
    """The path of a Chromium on this machine, ``$CHROMIUM`` first, or None."""
    return next(filter(None, map(shutil.which, (os.environ.get("CHROMIUM", ""), *NAMES))), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser with an empty profile of its own; pages that ask for more than files are reported by the checks.

    Raises:
        FileNotFoundError: No Chromium is installed; says how to install it.
    """
    path = executable()
    if path is None:
        raise FileNotFoundError(HOW_TO_INSTALL)
    from playwright.sync_api import sync_playwright  # an extra: only who looks at pages has it

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()
