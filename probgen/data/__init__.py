"""Data sets with known origin, license and checksum; batches that resume; dequantization.

This package never downloads anything. ``probgen.data.toys`` holds the two-dimensional laws with exact densities.
"""

from probgen.data.batches import Batches
from probgen.data.binarization import binarize
from probgen.data.captions import DIGIT_WORDS, CaptionVocabulary, digit_captions
from probgen.data.dataset import Dataset, Split, split_indices
from probgen.data.dequantization import dequantize, from_logits, logit_preprocessing, quantize, to_logits
from probgen.data.files import ChecksumError, DataFile, DataNotFoundError
from probgen.data.images import load_binary_digits, load_digits, load_faces, load_fashion_mnist, load_mnist
from probgen.data.spectrograms import mel_filters, mel_spectrogram
from probgen.data.speech import SpokenDigits, load_spoken_digits
from probgen.data.stacking import join_labels, stack_images, stacked_probabilities
from probgen.data.stand_in import load_or_stand_in
from probgen.data.strokes import StrokeCaptions, slant, stroke_thickness
from probgen.data.styles import bold, colored, edges, gradient_magnitude, negative, rotated, unpaired
from probgen.data.tables import load_uci
from probgen.data.text import Text, load_shakespeare

__all__ = [
    "DIGIT_WORDS",
    "Batches",
    "CaptionVocabulary",
    "ChecksumError",
    "DataFile",
    "DataNotFoundError",
    "Dataset",
    "Split",
    "SpokenDigits",
    "StrokeCaptions",
    "Text",
    "binarize",
    "bold",
    "colored",
    "dequantize",
    "digit_captions",
    "edges",
    "from_logits",
    "gradient_magnitude",
    "join_labels",
    "load_binary_digits",
    "load_digits",
    "load_faces",
    "load_fashion_mnist",
    "load_mnist",
    "load_or_stand_in",
    "load_shakespeare",
    "load_spoken_digits",
    "load_uci",
    "logit_preprocessing",
    "mel_filters",
    "mel_spectrogram",
    "negative",
    "quantize",
    "rotated",
    "slant",
    "split_indices",
    "stack_images",
    "stacked_probabilities",
    "stroke_thickness",
    "to_logits",
    "unpaired",
]
