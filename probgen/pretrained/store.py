"""The files: weights as safetensors with a card beside each, inside the package. Nothing is downloaded."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from probgen.pretrained.cards import ModelCard
from probgen.pretrained.networks import BUILDERS, build_model

__all__ = ["load_pretrained", "pretrained_card", "pretrained_names", "write_pretrained"]

FOLDER = Path(__file__).parent / "weights"


def pretrained_names() -> tuple[str, ...]:
    """The names of the models, one of each family.

    Example:
        >>> from probgen.pretrained import pretrained_names
        >>> pretrained_names()
        ('glow-digits', 'pixel-cnn-digits', 'vae-digits', 'diffusion-digits', 'gan-digits')
    """
    return tuple(BUILDERS)


def pretrained_card(name: str) -> ModelCard:
    """The card of a model: its data, its training, its scores.

    Args:
        name: One of ``pretrained_names()``.

    Raises:
        ValueError: there is no such model.

    Example:
        >>> from probgen.pretrained import pretrained_card
        >>> print(str(pretrained_card("vae-digits")).splitlines()[1])
        family                      variational autoencoder
    """
    _require(name)
    return ModelCard.read(FOLDER / f"{name}.json")


def load_pretrained(name: str, *, device: torch.device | str = "cpu") -> nn.Module:
    """A trained model, ready for evaluation: the family's own object, as its recipe makes it.

    Args:
        name: One of ``pretrained_names()``.
        device: Where its tensors go.

    Raises:
        ValueError: there is no such model.

    Example:
        >>> import torch
        >>> from probgen.pretrained import load_pretrained
        >>> law = load_pretrained("pixel-cnn-digits")(torch.eye(10))  # a distribution of images for each digit
        >>> law.sample().shape
        torch.Size([10, 8, 8])
    """
    _require(name)
    model = build_model(name)
    model.load_state_dict(load_file(FOLDER / f"{name}.safetensors"))
    return model.to(device).eval()


def write_pretrained(model: nn.Module, card: ModelCard, folder: Path) -> Path:
    """Write weights and card of a model that ``build_model`` made.

    Args:
        model: The model.
        card: Its card; the files are named after it.
        folder: Where to; made if it isn't there.

    Returns:
        The file of the weights.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from probgen.pretrained import load_pretrained, pretrained_card, write_pretrained
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_pretrained(load_pretrained("gan-digits"), pretrained_card("gan-digits"), Path(folder)).name
        'gan-digits.safetensors'
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{card.name}.safetensors"
    save_file({key: value.detach().contiguous() for key, value in model.state_dict().items()}, path)
    card.write(folder / f"{card.name}.json")
    return path


def _require(name: str) -> None:
    if name not in BUILDERS:
        raise ValueError(f"`name` must be one of {', '.join(BUILDERS)}; got {name!r}.")
