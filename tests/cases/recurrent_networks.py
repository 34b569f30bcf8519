"""Cases of incremental networks: linear and one-layer estimators, and PixelRNN with contexts and ordered channels."""

from collections.abc import Callable

from probgen.distributions.bijectors import IncrementalNetwork
from probgen.nn import FVSBN, NADE, PixelRNN

NETWORKS: dict[str, Callable[[], IncrementalNetwork]] = {
    "FVSBN": lambda: FVSBN(5, 2, order=(2, 0, 4, 1, 3)),
    "FVSBN(one-hot, context)": lambda: FVSBN(4, 3, num_inputs=3, context_features=(2, 2)),
    "NADE": lambda: NADE(5, 2, hidden=6, order=(2, 0, 4, 1, 3)),
    "NADE(one-hot, context)": lambda: NADE(4, 3, num_inputs=3, hidden=6, context_features=2),
    "PixelRNN(diagonal)": lambda: PixelRNN((4, 3), 2, layers=2, hidden=4, kernel_size=3),
    "PixelRNN(diagonal, one pixel a row)": lambda: PixelRNN((4, 1), 1, layers=1, hidden=2),
    "PixelRNN(diagonal, ordered colors, context)": lambda: PixelRNN(
        (3, 2, 2), 2, layers=2, hidden=6, ordered_channels=True, context_shape=(2,)
    ),
    "PixelRNN(diagonal, pixels)": lambda: PixelRNN((2, 2, 3), 2, layers=1, hidden=4),
    "PixelRNN(row)": lambda: PixelRNN((3, 4), 2, kind="row", layers=2, hidden=4, kernel_size=3, row_kernel_size=5),
    "PixelRNN(row, ordered colors, context)": lambda: PixelRNN(
        (3, 2, 2), 2, kind="row", layers=2, hidden=6, ordered_channels=True, context_shape=(2,)
    ),
}
