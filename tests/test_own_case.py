"""docs/add_a_case.md, followed to the letter in an empty folder: a case outside the package."""

from pathlib import Path

import pytest

from tests.pages import blocks, commands, in_this_process, refusal, untrusted

PAGE = "add_a_case"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    equation, case, _ = blocks(PAGE, "python")
    (tmp_path / "fin.py").write_text(equation + "\n" + case)
    (tmp_path / "configs" / "data").mkdir(parents=True)
    (tmp_path / "configs" / "data" / "fin.yaml").write_text(blocks(PAGE, "yaml")[0])
    return tmp_path


@pytest.mark.slow
def test_the_page_works_as_it_is_written(folder, monkeypatch):
    generate, train = commands(PAGE)
    in_this_process(monkeypatch, folder, *generate)
    assert len(list(folder.glob("datasets/fin/*/data/*/fin.hdf5"))) == 3
    in_this_process(monkeypatch, folder, *train, "training.steps=20", "evaluation.timing_batches=[1]")
    (run,) = (folder / "runs").iterdir()
    assert (run / "report.html").exists() and run.name.endswith("fno-fin")
    assert "solver, 0.5 of the resolution" in (run / "report.html").read_text()


def test_code_that_is_not_trusted_is_not_run(folder, monkeypatch):
    (folder / "fin.py").write_text("open('executed', 'w')\n")
    for words in commands(PAGE):
        assert "add trust=fin to the command line" in refusal(monkeypatch, folder, *untrusted(words))
    assert not (folder / "executed").exists()
