"""Files are verified before they are parsed, and a missing one is explained in one sentence."""

import gzip
import hashlib
import pickle

import numpy as np
import pytest

from probgen.data import ChecksumError, DataFile, DataNotFoundError, load_mnist, load_shakespeare, load_uci
from probgen.data.files import idx_array


def _write(folder, name, content):
    (folder / name).write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def test_missing_file_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PROBGEN_DATA", str(tmp_path))
    for load in (load_mnist, lambda: load_uci("wine"), lambda: load_shakespeare(full=True)):
        with pytest.raises(DataNotFoundError, match=r"PROBGEN_DATA") as caught:
            load()
        assert "\n" not in str(caught.value)


def test_wrong_checksum_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("PROBGEN_DATA", str(tmp_path))
    _write(tmp_path, "mnist.npz", b"something else")
    with pytest.raises(ChecksumError, match=r"mnist.npz.*must have SHA-256 01909aa1"):
        load_mnist()


def test_arrays_are_read_without_pickle(tmp_path, monkeypatch):
    monkeypatch.setenv("PROBGEN_DATA", str(tmp_path))
    path = tmp_path / "evil.npz"
    np.savez(path, x=np.array([{"run": "me"}], dtype=object), allow_pickle=True)
    file = DataFile("evil.npz", hashlib.sha256(path.read_bytes()).hexdigest(), "Don't.")
    with pytest.raises((ValueError, pickle.UnpicklingError), match="pickle"):
        file.arrays()


def test_gzip_checksum_of_the_content(tmp_path, monkeypatch):
    monkeypatch.setenv("PROBGEN_DATA", str(tmp_path))
    content = b"content"
    (tmp_path / "a.gz").write_bytes(gzip.compress(content, mtime=7))
    file = DataFile("a.gz", hashlib.sha256(content).hexdigest(), "Make it.", unpacked=True)
    assert file.read() == content


def test_idx_round_trip():
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    header = b"\x00\x00\x08\x03" + np.array([2, 3, 4], ">u4").tobytes()
    assert (idx_array(header + array.tobytes()) == array).all()
    with pytest.raises(ValueError, match="00 00 08"):
        idx_array(b"\x00\x00\x0d\x01")
