"""The registry of laws."""

from probgen.distributions.testing import BIJECTOR_LAWS, DISTRIBUTION_LAWS, LAWS


def test_laws_have_names_statements_and_kinds():
    assert {law.kind for law in BIJECTOR_LAWS} == {"bijector"}
    assert {law.kind for law in DISTRIBUTION_LAWS} == {"distribution"}
    assert len({law.statement for law in LAWS.values()}) == len(LAWS)
