"""Accuracy and AUROC against scikit-learn and by definition."""

import math

import pytest
import torch

from probgen.metrics import accuracy, auroc


def test_auroc_agrees_with_scikit_learn():
    sklearn = pytest.importorskip("sklearn.metrics")
    positive, negative = torch.randn(70).round(decimals=1) + 0.5, torch.randn(50).round(decimals=1)
    labels = [1] * 70 + [0] * 50
    assert auroc(positive, negative) == pytest.approx(sklearn.roc_auc_score(labels, torch.cat([positive, negative]).tolist()))


def test_auroc_by_definition_with_ties_and_infinities():
    positive, negative = torch.tensor([0.0, 1.0, math.inf]), torch.tensor([-math.inf, 1.0])
    wins = sum(float(p > n) + 0.5 * float(p == n) for p in positive for n in negative)
    assert auroc(positive, negative) == pytest.approx(wins / 6)
    assert auroc(positive, negative) + auroc(negative, positive) == pytest.approx(1.0)


def test_accuracy_of_scores():
    scores = torch.eye(4)[torch.tensor([0, 1, 1, 3])]
    assert accuracy(scores, torch.arange(4)).mean == 0.75
    with pytest.raises(ValueError, match="shape"):
        accuracy(torch.zeros(3), torch.zeros(4))


def test_auroc_refuses_nan_and_empty():
    with pytest.raises(ValueError, match="positive"):
        auroc(torch.tensor([math.nan]), torch.ones(1))
    with pytest.raises(ValueError, match="negative"):
        auroc(torch.ones(1), torch.ones(0))
