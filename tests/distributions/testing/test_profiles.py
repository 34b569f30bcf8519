"""Profiles are chosen by the environment."""

import pytest

from probgen.distributions.testing import PROFILES, Profile, current_profile


def test_environment_names_the_profile(monkeypatch):
    monkeypatch.delenv("PROBGEN_PROFILE", raising=False)
    monkeypatch.setenv("HYPOTHESIS_PROFILE", "nightly")
    assert current_profile() is PROFILES["long"]
    monkeypatch.setenv("PROBGEN_PROFILE", "full")
    assert current_profile() is PROFILES["full"]
    assert all(isinstance(profile, Profile) for profile in PROFILES.values())


def test_unknown_profile_raises(monkeypatch):
    monkeypatch.setenv("PROBGEN_PROFILE", "hasty")
    with pytest.raises(ValueError, match=r"must be one of .* got 'hasty'"):
        current_profile()
