"""Comparisons with a library are skipped where it is not installed; here none may be missing."""

import os
from importlib import import_module

import pytest

# without it DeepXDE writes a configuration into the home folder
os.environ.setdefault("DDE_BACKEND", "pytorch")


@pytest.mark.oracle
@pytest.mark.parametrize(
    "library",
    [
        "azula.sample", "deepxde", "diffusers", "exponax", "jax_cfd.base", "pina.operator", "properscoring", "pywt",
        "scoringrules", "the_well.benchmark.metrics", "the_well.data", "torch_cfd.spectral", "torchmetrics.regression",
        "transformers",
    ],
)  # fmt: skip
def test_the_library_can_be_imported(library):
    assert import_module(library).__name__ == library
