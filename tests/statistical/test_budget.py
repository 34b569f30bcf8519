"""The whole suite may raise a false alarm once in a million runs: every rate is declared, and they are added up here."""

import ast
import re
from pathlib import Path

import pytest

from probgen.distributions.testing import DISTRIBUTION_LAWS, PROFILES, REGIMES, SUITE_BUDGET, DistributionSubject, Ledger
from probgen.distributions.testing.check import cells_of
from tests.cases import DISTRIBUTIONS

TESTS = Path(__file__).parents[1]
SPEAKS_OF_CHANCE = re.compile(r"false.alarm|\d standard errors|\bDKW|p_value > |\* estimate\.stderr")


def rate_of(mark):
    """The declared rate, if the expression is ``pytest.mark.statistical(false_alarm=rate)``."""
    if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.statistical":
        return next(float(ast.literal_eval(entry.value)) for entry in mark.keywords if entry.arg == "false_alarm")
    return None


def statistical_tests():
    """Name to declared rate, of tests and of files that declare one for all of theirs; and the tests that declare none."""
    rates, silent = {}, []
    for path in sorted(TESTS.rglob("test_*.py")):
        if path == Path(__file__):
            continue
        source = path.read_text(encoding="utf-8")
        body = ast.parse(source).body
        marks = [node.value for node in body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark"]
        whole = next((rate for rate in map(rate_of, marks) if rate is not None), None)
        if whole is not None:
            rates[path.name] = whole
            continue
        for node in body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                rate = next((rate for rate in map(rate_of, node.decorator_list) if rate is not None), None)
                if rate is not None:
                    rates[f"{path.name}::{node.name}"] = rate
                elif SPEAKS_OF_CHANCE.search(ast.get_source_segment(source, node)):
                    silent.append(f"{path.name}::{node.name}")
    return rates, silent


def test_tests_that_speak_of_chance_declare_their_rate():
    rates, silent = statistical_tests()
    assert not silent
    assert len(rates) >= 10


@pytest.mark.parametrize("profile", list(PROFILES.values()), ids=list(PROFILES))
def test_the_suite_keeps_its_budget_of_false_alarms(profile):
    ledger = Ledger()
    for name, rate in statistical_tests()[0].items():
        ledger.spend(name, rate)
    chancy = [law for law in DISTRIBUTION_LAWS if law.false_alarm]
    for name, case in DISTRIBUTIONS.items():
        subject = DistributionSubject(case.make, name=name, samples=100)
        regimes = tuple(REGIMES.values()) if subject.parameters else (REGIMES["as_built"],)
        spoken = [law for law in chancy if law.name not in case.exempt and law.applies(subject)]
        for law, dtype, regime in cells_of(spoken, regimes, profile, name):
            ledger.spend(f"{name} {law.name} {dtype} {regime.name}", law.false_alarm)
    assert len(ledger.spent) > 50
    assert 0 < ledger.left < SUITE_BUDGET
