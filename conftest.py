"""Collection from the root: ``distributions/`` is collected as ``probgen.distributions``, never under its own name."""

collect_ignore = ["distributions", "docs", "examples"]

pytest_plugins = ["probgen.distributions.testing.plugin"]
pytest_plugins = ["probgen.distributions.testing.plugin"]
