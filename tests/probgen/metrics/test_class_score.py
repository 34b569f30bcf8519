"""The score of classes: its ends, mutual information, and its jackknife error."""

import math

import pytest
import torch

from probgen.metrics import class_score


def test_it_is_the_mutual_information():
    given = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8], [0.3, 0.3, 0.4]], dtype=torch.float64)
    joint = given / 3
    independent = joint.sum(1, keepdim=True) * joint.sum(0, keepdim=True)
    information = (joint * (joint / independent).log()).sum()
    assert math.log(class_score(given.log()).mean) == pytest.approx(float(information), rel=1e-12)


def test_between_one_and_the_number_of_classes():
    torch.manual_seed(0)
    for scale in (0.0, 1.0, 1e4):
        score = class_score(scale * torch.randn(500, 7)).mean
        assert 1 - 1e-12 <= score <= 7 + 1e-9
    assert class_score(torch.zeros(9, 4)).mean == pytest.approx(1.0)


def test_collapse_within_classes_is_not_seen():
    one_image_a_class = 60 * torch.eye(10).repeat(5, 1)
    assert class_score(one_image_a_class).mean == pytest.approx(10.0)


def test_the_error_is_that_of_leaving_one_out():
    torch.manual_seed(0)
    logits = 2 * torch.randn(12, 3, dtype=torch.float64)
    without = torch.tensor([class_score(torch.cat([logits[:i], logits[i + 1 :]])).mean for i in range(12)])
    expected = math.sqrt(11 / 12 * float((without - without.mean()).square().sum()))
    assert class_score(logits).error == pytest.approx(expected, rel=1e-5)


def test_errors():
    with pytest.raises(ValueError, match="must be a matrix"):
        class_score(torch.zeros(3))
    with pytest.raises(ValueError, match="NaN or infinity"):
        class_score(torch.full((3, 2), torch.nan))
