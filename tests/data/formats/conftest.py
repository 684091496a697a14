"""Formats are tested without the child process that reads metadata first, to save its start: `test_probe` tests it."""

import pytest

from pdekit.data import probe


@pytest.fixture(autouse=True)
def no_child_process(monkeypatch):
    monkeypatch.setattr(probe, "_walked", lambda paths: "")
