"""docs/add_an_equation.md, followed to the letter in an empty folder: an equation outside the package."""

import pytest

from tests.pages import blocks, commands, in_a_process, refusal, untrusted

PAGE = "add_an_equation"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "fisher_kpp.py").write_text(blocks(PAGE, "python")[0])
    (tmp_path / "configs" / "data").mkdir(parents=True)
    (tmp_path / "configs" / "data" / "fisher_kpp.yaml").write_text(blocks(PAGE, "yaml")[0])
    return tmp_path


@pytest.mark.slow
def test_the_page_works_as_it_is_written(folder):
    generate, train = commands(PAGE)
    in_a_process(folder, *generate)
    assert len(list(folder.glob("datasets/fisher_kpp/*/data/*/fisher_kpp.hdf5"))) == 3
    in_a_process(folder, *train, "training.steps=20")
    (run,) = (folder / "runs").iterdir()
    assert (run / "weights.safetensors").exists() and run.name.endswith("fno-fisher_kpp")


def test_code_that_is_not_trusted_is_not_run(folder, monkeypatch):
    (folder / "fisher_kpp.py").write_text("open('executed', 'w')\n")
    for words in commands(PAGE):
        found = refusal(monkeypatch, folder, *untrusted(words))
        assert "add trust=fisher_kpp to the command line" in found
    assert not (folder / "executed").exists()
