"""The outliers are what their names say."""

import torch

from probgen.demo import Settings, detect, load_problem, outliers


class _Ink:
    """Scores the sum of the pixels: pale and blank images are then outliers, permutations are not."""

    def log_prob(self, v, label=None):
        return v.sum(-1)


def test_auroc_of_a_score_that_sees_only_ink():
    problem = load_problem(Settings())
    found = detect(_Ink(), problem, seed=0)
    assert found["pale images"] > 0.95
    assert found["blank"] == 1.0
    for name in ("shuffled pixels", "rotated by 90 degrees", "upside down"):
        assert abs(found[name] - 0.5) < 0.02


def test_rotation_and_range():
    problem = load_problem(Settings.smoke())
    made = outliers(problem, seed=0)
    assert torch.equal(made["rotated by 90 degrees"][0].reshape(8, 8).rot90(-1), problem.test.x[0].reshape(8, 8).long())
    assert all(int(x.min()) >= 0 and int(x.max()) <= 16 for x in made.values())


def test_a_count_limits_all_kinds():
    made = outliers(load_problem(Settings.smoke()), seed=0, count=7)
    assert {len(x) for x in made.values()} == {7}
