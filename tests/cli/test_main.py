"""The console command ``pdekit``."""

import subprocess
import sys

import pytest

from pdekit.cli.main import COMMANDS, main


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["pdekit", *arguments])
    main()


def test_help_names_every_command(monkeypatch, capsys):
    run(monkeypatch)
    assert capsys.readouterr().out.startswith("Neural surrogates")
    run(monkeypatch, "--help")
    out = capsys.readouterr().out
    assert all(f"  {name} " in out for name in COMMANDS) and "pdekit COMMAND --help" in out


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_has_help(monkeypatch, capsys, name):
    run(monkeypatch, name, "--help")
    assert f"python -m pdekit.{name}" in capsys.readouterr().out


def test_a_command_that_does_not_exist(monkeypatch):
    with pytest.raises(SystemExit, match=r"found 'trian'; did you mean 'train'\?"):
        run(monkeypatch, "trian")


def test_the_arguments_reach_the_command(monkeypatch):
    with pytest.raises(SystemExit, match=r"did you mean 'fno'"):
        run(monkeypatch, "train", "model=fmo", "data=ks")


def test_the_package_runs_as_a_module():
    done = subprocess.run([sys.executable, "-m", "pdekit", "compare"], capture_output=True, text=True)
    assert done.returncode == 0 and "runs=" in done.stdout
