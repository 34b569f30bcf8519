"""Cases of flows on images: the recipes at small sizes, unconditional, on a class and on an image.

The rows are shallow: parameters of the strong regime in ten couplings one after another are a chaotic map, and rounding then
decides. Deep recipes are checked where they are built, at moderate parameters.
"""

from torch import nn

from probgen.distributions.bijectors import DenseLinear
from probgen.distributions.testing import BijectorCase
from probgen.flows import channel_mixing, flow_plus_plus, glow, image_real_nvp, nice

GLOW = {"steps": 1, "hidden": 4, "activation": nn.Tanh}

BIJECTORS = {
    "DenseLinear": BijectorCase(lambda: DenseLinear(3), (3,)),
    "channel_mixing(qr)": BijectorCase(lambda: channel_mixing(3, "qr"), (3, 2, 2)),
    "nice(context)": BijectorCase(lambda: nice(3, layers=2, hidden=(8,), context_shape=(2,), activation=nn.Tanh), (3,)),
    "image_real_nvp(image)": BijectorCase(
        lambda: image_real_nvp((1, 2, 4), levels=1, hidden=4, blocks=1, context_shape=(1, 4, 2)), (8,)
    ),
    "glow": BijectorCase(lambda: glow((2, 4, 4), levels=2, **GLOW), (32,)),
    "glow(class)": BijectorCase(lambda: glow((1, 2, 4), levels=1, context_shape=(3,), **GLOW), (8,)),
    "flow_plus_plus(class)": BijectorCase(
        lambda: flow_plus_plus((1, 2, 2), layers=(0, 1, 0), hidden=8, blocks=1, heads=2, components=3, context_shape=(3,)),
        (4,),
    ),
}
