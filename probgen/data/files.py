"""Data files: where they are looked for, and how they are verified.

A file is looked for inside the package (embedded data), then in the folder named by the environment variable
``PROBGEN_DATA``, then in the places where distributions of Linux put it. Nothing is ever downloaded. Every file is checked
against a SHA-256 before it is parsed, and arrays are read without pickle, so a tampered file is refused, not executed.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

__all__ = ["ChecksumError", "DataFile", "DataNotFoundError"]

Arrays = dict[str, "np.ndarray[tuple[int, ...], np.dtype[np.generic]]"]


class DataNotFoundError(FileNotFoundError):
    """A data file is not on this machine; the message says in one sentence how to get it."""


class ChecksumError(ValueError):
    """A data file is not the one that was meant: its SHA-256 differs."""


@dataclass(frozen=True)
class DataFile:
    """A file with a known checksum.

    Attributes:
        name: Path below the data folder.
        sha256: Checksum, hexadecimal: of the bytes as they lie on disk, or of the unpacked ones if ``unpacked``.
        how: One sentence that says how to get the file.
        unpacked: Whether the checksum is that of the content after gunzip.
        embedded: Whether the file ships inside the package.
        elsewhere: Further folders to look in.

    Example:
        >>> from probgen.data import DataFile
        >>> DataFile("none.npz", "0" * 64, "Make it.").find() is None
        True
    """

    name: str
    sha256: str
    how: str
    unpacked: bool = False
    embedded: bool = False
    elsewhere: tuple[str, ...] = ()

    def find(self) -> Path | None:
        """The path of the file, or None if it is not on this machine."""
        return next((path for path in self._candidates() if path.is_file()), None)

    def read(self) -> bytes:
        """Return the verified content, unpacked if the name ends in ``.gz``.

        Raises:
            DataNotFoundError: the file is not here.
            ChecksumError: it is another file.
        """
        path = self.find()
        if path is None:
            raise DataNotFoundError(f"the file `{self.name}` was not found: {self.how}")
        raw = path.read_bytes()
        content = gzip.decompress(raw) if self.name.endswith(".gz") else raw
        got = hashlib.sha256(content if self.unpacked else raw).hexdigest()
        if got != self.sha256:
            raise ChecksumError(f"`{path.name}` must have SHA-256 {self.sha256}; got {got}: {self.how}")
        return content

    def arrays(self) -> Arrays:
        """Return the arrays of an ``.npz`` file (read without pickle).

        Raises:
            DataNotFoundError: the file is not here.
            ChecksumError: it is another file.
        """
        with np.load(io.BytesIO(self.read()), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}

    def _candidates(self) -> Iterable[Path]:
        if self.embedded:
            yield Path(__file__).parent / self.name
            return
        folder = os.environ.get("PROBGEN_DATA")
        if folder:
            yield Path(folder) / self.name
        for place in self.elsewhere:
            yield Path(place) / Path(self.name).name


def idx_array(content: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Parse the IDX format of unsigned bytes: ``0, 0, 8, ndim``, big-endian sizes, then the data."""
    if content[:3] != b"\x00\x00\x08":
        raise ValueError(f"an IDX file of unsigned bytes must start with 00 00 08; got {content[:3].hex(' ')}.")
    ndim = content[3]
    shape = np.frombuffer(content, ">u4", count=ndim, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * ndim).reshape(tuple(int(size) for size in shape))
