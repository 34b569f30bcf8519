"""Distributions and the bijectors they are built from: what can be evaluated, sampled and inverted.

This package does not train, read files or hold networks; see ``probgen.infer``, ``probgen.data`` and ``probgen.nn``.
"""

if __name__ != "probgen.distributions":
    raise ImportError(
        f"this folder is the package `probgen.distributions`; it was imported as `{__name__}`. "
        "Write `from probgen.distributions import ...`."
    )
