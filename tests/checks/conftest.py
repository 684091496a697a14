"""Settings of the tests of checks."""

from importlib import import_module

import pytest


@pytest.fixture(autouse=True)
def untraced(monkeypatch):
    """For a few steps it does not pay to record them."""
    monkeypatch.setattr(import_module("pdekit.solvers.etdrk"), "traced", lambda function: function)
