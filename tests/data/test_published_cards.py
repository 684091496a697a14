"""Each published layout that pdekit reads has a card, and each card names a layout that it reads."""

import re
from pathlib import Path

import pytest

from pdekit.data.formats import FORMATS

FOLDER = Path(__file__).parents[2] / "datasets" / "published"
GENERAL = {"named_files", "numpy_files", "mapped_hdf5", "mesh_files"}  # files of any origin
GENERAL |= {"exported", "exported_folder", "exported_vtk"}  # files of pdekit
HEADINGS = (
    "One line description of the data",
    "Associated paper",
    "Layouts that pdekit reads",
    "Equation known to pdekit",
    "Number of trajectories",
    "Size",
    "How to fetch it",
    "Licence",
    "Splits",
    "Known defects",
    "Published figures",
)
CARDS = sorted(path.stem for path in FOLDER.glob("*.md"))


def text(name):
    return (FOLDER / f"{name}.md").read_text()


@pytest.mark.parametrize("name", CARDS)
def test_a_card_has_its_headings(name):
    assert tuple(re.findall(r"^\*\*([^*]+):\*\* \S", text(name), re.MULTILINE)) == HEADINGS


def test_cards_and_layouts_agree():
    named = {module for name in CARDS for module in re.findall(r"`pdekit\.data\.formats\.(\w+)`", text(name))}
    read = {item.open.__module__.rpartition(".")[2] for item in FORMATS} - {"formats"}
    assert read - GENERAL - named == {"pdebench_folder"}  # several files of pdebench
    assert named - read == {"the_well"}  # opened elsewhere
