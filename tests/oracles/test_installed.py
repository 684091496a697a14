"""Tests beside a library are skipped where it is not installed; here none may be missing."""

from importlib import import_module

import pytest


@pytest.mark.oracle
@pytest.mark.parametrize(
    "library",
    [
        "exponax", "jax_cfd.base", "properscoring", "scoringrules", "the_well.benchmark.metrics", "the_well.data",
        "torch_cfd.spectral", "torchmetrics.regression",
    ],
)  # fmt: skip
def test_the_library_can_be_imported(library):
    assert import_module(library).__name__ == library
