"""Small denoising networks and contexts, one of each kind, with all parameters awake."""

import torch

from probgen.nn import ClassConditioning, DenoisingMLP, DiT, ImageConditioning, TextConditioning, UNet, VectorConditioning

NETWORKS = {
    "unet": lambda conditioning: UNet(
        (2, 7, 9), width=8, multipliers=(1, 2), blocks=1, attention=(1,), heads=2, conditioning=conditioning
    ),
    "dit": lambda conditioning: DiT((2, 8, 6), patch=2, width=8, depth=2, heads=2, conditioning=conditioning),
    "mlp": lambda conditioning: DenoisingMLP((2, 3), hidden=(8, 6), embedding_features=8, conditioning=conditioning),
}

CONDITIONINGS = {
    "none": lambda: None,
    "class": lambda: ClassConditioning(5, features=8),
    "vector": lambda: VectorConditioning(3),
    "image": lambda: ImageConditioning(1, 4, 5),
    "text": lambda: TextConditioning(vocabulary=9, length=4, width=8, layers=1, heads=2),
}

CONTEXTS = {
    "none": lambda count: None,
    "class": lambda count: torch.randint(0, 6, (count,)),
    "vector": lambda count: torch.randn(count, 3),
    "image": lambda count: torch.randn(count, 1, 4, 5),
    "text": lambda count: torch.randint(0, 9, (count, 4)),
}


def awake(network, *, scale=0.5):
    """Every parameter moved by normal noise of ``scale / sqrt(fan in)``: what starts at zero takes part."""
    with torch.no_grad():
        for parameter in network.parameters():
            fan_in = parameter[0].numel() if parameter.dim() > 1 else 1
            parameter.add_(scale / max(fan_in, 1) ** 0.5 * torch.randn_like(parameter))
    return network


def example(network, context, count=3):
    """A network with all parameters awake and ``count`` inputs, the last two at infinite log-SNR."""
    built = awake(NETWORKS[network](CONDITIONINGS[context]()))
    levels = torch.tensor([0.7, torch.inf, -torch.inf]) if count == 3 else torch.randn(count)
    return built, torch.randn(count, *built.event_shape), levels, CONTEXTS[context](count)
