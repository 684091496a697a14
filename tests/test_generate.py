"""The command generates once, from any directory, and says what exists when something is misspelt."""

import re
import subprocess
import sys
import time

import pytest

from pdekit import generate
from pdekit.cli.command_line import CONFIGS
from pdekit.data.module import DataModule
from pdekit.recipes import generation

SMALL = [
    "data=ks",
    "data.grid.shape=[32]",
    "data.grid.extent=[20.0]",
    "data.substeps=8",
    "data.warmup=0.8",
    "data.n_trajectories={train: 3, valid: 1, test: 1}",
    "data.n_frames={train: 3, valid: 3, test: 4}",
]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PDEKIT_DATA", raising=False)
    monkeypatch.setattr(generation, "provenance", lambda **known: known)


def test_a_dataset_from_another_directory_once(tmp_path, capsys):
    generate.main(SMALL)
    assert "generated ks in" in capsys.readouterr().out
    (folder,) = (tmp_path / "datasets" / "ks").iterdir()
    data = DataModule.from_folder(folder)
    assert data.problem.grid.shape == (32,) and data.train.n_trajectories == 3
    assert [path.name for path in tmp_path.iterdir()] == ["datasets"], "the command leaves nothing else behind"
    generate.main(SMALL)
    assert "exists already" in capsys.readouterr().out
    generate.main([*SMALL, "data.seed=1"])
    assert len(list((tmp_path / "datasets" / "ks").iterdir())) == 2


def test_the_data_directory_can_be_set(tmp_path, monkeypatch):
    generate.main([*SMALL, f"data_dir={tmp_path / 'here'}"])
    assert list((tmp_path / "here" / "ks").iterdir())
    monkeypatch.setenv("PDEKIT_DATA", str(tmp_path / "there"))
    generate.main(SMALL)
    assert list((tmp_path / "there" / "ks").iterdir())


def test_options_that_the_recipe_file_leaves_at_their_defaults(tmp_path):
    """text and dtype are not written in the recipe of ks."""
    generate.main([*SMALL, "data.text=true", "data.dtype=float32"])
    (folder,) = (tmp_path / "datasets" / "ks").iterdir()
    assert DataModule.from_folder(folder).problem.has_text


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (["data=kolmogorof"], "did you mean 'kolmogorov'?"),
        (["data=ks", "data.warm_up=3"], "got 'warm_up'; did you mean 'warmup'?"),
        (["data=ks", "worker=2"], "did you mean 'workers'? There are: "),
        (["data=ks", "data.dt=-1"], "expected substeps >= 1, dt > 0"),
        (["data=ks", "data.pde.viscocity=1"], "did you mean 'viscosity'?"),
        (["data=ks", "data.pde._target_=os.system"], "os.system"),
        ([*SMALL, "data.pde.viscosity=-3"], "expected a value above 0 for viscosity of KuramotoSivashinsky, got -3"),
        ([*SMALL, "data.initial.amplitude=1e9", "data.substeps=1"], "NaN or Inf in trajectory 0 of train"),
        ([*SMALL, "workers=0"], "expected workers >= 1, got 0"),
        (["data=ks", "data.n_trajectories.train=10_000_000_000"], "MB of free space for ks"),
    ],
)
def test_a_mistake_ends_with_a_sentence(arguments, sentence, capsys):
    with pytest.raises(SystemExit) as end:
        generate.main(arguments)
    assert sentence in str(end.value) + capsys.readouterr().err


def test_help_answers_at_once_and_lists_the_recipes():
    began = time.process_time()
    command = [sys.executable, "-X", "importtime", "-m", "pdekit.generate", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (
        re.search(r"kolmogorov +20 s +(–|[\d.]+ \w+) +Forced two-dimensional turbulence", done.stdout)
        and "workers=" in done.stdout
    )
    assert "torch" not in done.stderr and "hydra" not in done.stderr
    assert time.process_time() - began < 3


def test_a_recipe_of_ones_own(tmp_path, capsys):
    folder = tmp_path / "configs" / "data"
    folder.mkdir(parents=True)
    text = (CONFIGS / "data" / "ks.yaml").read_text().replace("name: ks", "name: mine")
    (folder / "mine.yaml").write_text(text)
    generate.main(["--config-dir", str(tmp_path / "configs"), "data=mine", *SMALL[1:]])
    assert "generated mine" in capsys.readouterr().out
