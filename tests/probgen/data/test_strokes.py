"""Thickness and slant of drawn bars, and captions that say only what is true."""

import pytest
import torch

from probgen.data import DIGIT_WORDS, CaptionVocabulary, StrokeCaptions, bold, load_digits, slant, stroke_thickness


def bar(width, lean, size=64):
    """A straight stroke through the middle, ``width`` columns wide, ``lean`` columns to the right for each row up."""
    rows, columns = torch.meshgrid(torch.arange(float(size)), torch.arange(float(size)), indexing="ij")
    offset = (columns - size / 2 + lean * (rows - size / 2)).abs()
    inside = (rows > 8) & (rows < size - 9)
    return (((width / 2 - offset + 0.5).clamp(0, 1) * inside) * 2 - 1)[None, None]


@pytest.mark.parametrize("width", [3.0, 5.0, 8.0])
def test_thickness_of_an_upright_bar(width):
    length = 47.0
    wanted = 2 * width * length / (2 * (width + length))  # twice the area over the outline, its ends included
    assert float(stroke_thickness(bar(width, 0.0))) == pytest.approx(wanted, rel=0.06)


@pytest.mark.parametrize("lean", [-0.5, 0.0, 0.3, 0.8])
def test_slant_of_a_leaning_bar(lean):
    assert float(slant(bar(4.0, lean))) == pytest.approx(lean, abs=0.01)
    assert float(slant(bar(4.0, lean).roll((3, -5), (2, 3)))) == pytest.approx(lean, abs=0.01)  # wherever it stands


def test_bold_digits_are_thicker_and_leaning_left_is_negative():
    digits = load_digits().train.x[:50].float().unsqueeze(1) / 8 - 1
    assert (stroke_thickness(bold(digits)) > stroke_thickness(digits)).all()
    torch.testing.assert_close(slant(digits.flip(-1)), -slant(digits), atol=1e-5, rtol=0)


def test_captions_name_the_digit_and_say_only_what_is_true():
    digits = load_digits().train
    images = digits.x.float().unsqueeze(1) / 8 - 1
    say = StrokeCaptions.of(images)
    captions = say(images, digits.labels, generator=torch.Generator().manual_seed(0))
    thickness, lean = stroke_thickness(images), slant(images)
    for k, caption in enumerate(captions):
        *rest, word = caption.split()
        assert word == DIGIT_WORDS[int(digits.labels[k])]
        assert "thin" not in rest or thickness[k] < say.thin
        assert "bold" not in rest or thickness[k] > say.bold
        assert "slanted" not in rest or lean[k] > say.slanted
    assert 0.15 < sum("bold" in caption for caption in captions) / len(captions) < 0.22  # 3/4 of a quarter
    assert sum(" " not in caption for caption in captions) > 300
    assert CaptionVocabulary(captions).length == 4
    assert say(images[:0], digits.labels[:0]) == []
    assert set(say(images, digits.labels, say=0.0)) == set(DIGIT_WORDS)
