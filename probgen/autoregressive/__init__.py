"""Autoregressive models: recipes, one paper or idea a file; each gives an ``AutoregressiveLaw`` to be called with a context.

Networks stand in ``probgen.nn``, the distribution and its elements in ``probgen.distributions``, the objective is
``probgen.infer.MaximumLikelihood``. This package puts them together; it trains nothing.
"""

from probgen.autoregressive.attending import pixel_snail
from probgen.autoregressive.belief_networks import fvsbn, nade
from probgen.autoregressive.ensemble import OrderAgnosticLoss, OrderEnsemble, made_ensemble
from probgen.autoregressive.logistic_mixtures import pixel_cnn_plus_plus
from probgen.autoregressive.masked import made
from probgen.autoregressive.masked_convolutions import gated_pixel_cnn, pixel_cnn
from probgen.autoregressive.parts import Layout, default_embedding, layout_of
from probgen.autoregressive.recurrent import pixel_rnn
from probgen.autoregressive.transformers import image_gpt, text_transformer
from probgen.autoregressive.waves import wave_net

__all__ = [
    "Layout",
    "OrderAgnosticLoss",
    "OrderEnsemble",
    "default_embedding",
    "fvsbn",
    "gated_pixel_cnn",
    "image_gpt",
    "layout_of",
    "made",
    "made_ensemble",
    "nade",
    "pixel_cnn",
    "pixel_cnn_plus_plus",
    "pixel_rnn",
    "pixel_snail",
    "text_transformer",
    "wave_net",
]
