"""The counts of README.md are those of the package."""

import re
from pathlib import Path

from pdekit import pdes
from pdekit.metrics.catalogue import CATALOGUE
from pdekit.pdes.base import PDE, ConservationLaw, SemilinearPDE, SteadyPDE

ROOT = Path(__file__).parents[1]
KINDS = {PDE, ConservationLaw, SemilinearPDE, SteadyPDE}
VARIANTS = {"adversarial_autoencoder", "fno_heads", "pinn_inverse"}  # of models that are counted
WORDS = {"four": 4, "five": 5, "six": 6, "seven": 7}


def counted(pattern):
    return re.search(pattern, (ROOT / "README.md").read_text()).groups()


def files(folder):
    return {path.stem for path in (ROOT / "pdekit" / "configs" / folder).glob("*.yaml")}


def test_equations_datasets_and_measures():
    classes = {item for item in vars(pdes).values() if isinstance(item, type) and issubclass(item, PDE)}
    assert counted(r"(\d+) equations") == (str(len(classes - KINDS)),)
    assert counted(r"(\d+) datasets") == (str(len(files("data"))),)
    assert counted(r"(\d+) measures") == (str(len(CATALOGUE)),)


def test_models_and_baselines():
    models, baselines = counted(r"(\d+) models next to (\w+) baselines")
    named = {"persistence", "mean", "nearest", "pod", "dmd", "reservoir", "solver"}
    assert int(models) == len(files("model") - named - VARIANTS) and WORDS[baselines] == len(named & files("model"))
