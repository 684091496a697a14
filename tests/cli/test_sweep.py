"""A sweep goes on after a job that fails, and ends with a table and an exit status."""

import re
import sys

import pytest

from pdekit import generate
from pdekit.cli.compose import Typed, jobs, read_arguments
from pdekit.cli.sweep import FAILED, Sweep
from tests.test_generate import SMALL


def test_the_table_names_every_job(capsys):
    sweep = Sweep(several=True)
    assert sweep.end() == 0 and capsys.readouterr().out == ""
    with sweep.job(["seed=0"]) as job:
        job.result = "runs/a"
    with sweep.job(["seed=1", "model=fno"]):
        raise FloatingPointError("expected a finite loss, found nan\nmore")
    assert sweep.end() == 1
    out, err = capsys.readouterr()
    assert "2 jobs, 1 failed" in out and "seed=0            done    runs/a" in out
    assert "seed=1 model=fno  failed  expected a finite loss, found nan\n" in out
    assert "expected a finite loss" in err and "(the sweep goes on)" in err and "Traceback" not in err


def test_a_defect_shows_its_trace_and_the_sweep_goes_on(capsys):
    sweep = Sweep(several=True)
    with sweep.job(["seed=0"]):
        raise ZeroDivisionError
    assert sweep.jobs[0].outcome == FAILED and "Traceback" in capsys.readouterr().err


def test_a_single_job_raises_and_ctrl_c_ends_a_sweep_with_its_table(capsys):
    with pytest.raises(ValueError, match="expected a"), Sweep(several=False).job([]):
        raise ValueError("expected a")
    sweep = Sweep(several=True)
    with pytest.raises(KeyboardInterrupt), sweep.job(["seed=0"]):
        raise KeyboardInterrupt
    assert "1 jobs, 1 failed" in capsys.readouterr().out


def test_every_combination_is_a_job():
    typed = read_arguments(["-m", "model=fno,unet", "data.n={train: 3, valid: 1}", "seed=range(0,2)", "x=[1,2]"])
    found = jobs(typed)
    assert [job[0] for job in found] == ["model=fno"] * 2 + ["model=unet"] * 2
    assert [job[2] for job in found] == ["seed=0", "seed=1"] * 2
    assert {job[1] for job in found} == {"data.n={train: 3, valid: 1}"} and {job[3] for job in found} == {"x=[1,2]"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--verbose"], "found '--verbose'"),
        (["--cfg", "hydra"], "found '--cfg'"),
        (["--config-dir", "nowhere"], "expected a folder of configurations as --config-dir, found 'nowhere'"),
        (["hydra.run.dir=x"], r"expected settings of pdekit, or hydra.searchpath=\[file://FOLDER\], found"),
        (["hydra/launcher=joblib"], "leave it out"),
    ],
)
def test_options_that_do_not_exist(arguments, message):
    with pytest.raises(ValueError, match=message):
        read_arguments(arguments)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"_target_: !!python/object/apply:os.system [exit]",
            r"in .*mine.yaml, found line 1: could not determine a con",
        ),
        (b"_target_: {a:", r"expected a configuration in .*mine.yaml, found line 1: .*; correct the file"),
        (b"\xff\xfe\x00", "expected configurations in UTF-8, found"),
        (b"[1, 2]", r"expected options by name in data/mine.yaml, found \[1, 2\]; correct the file"),
    ],
)
def test_a_file_of_the_user_that_is_no_yaml(tmp_path, content, message):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine.yaml").write_bytes(content)
    with pytest.raises(SystemExit) as stop:
        generate.main([f"--config-dir={tmp_path}", "data=mine"])
    assert re.search(message, str(stop.value))


def test_several_values_need_m():
    with pytest.raises(ValueError, match=r"expected one value of model, found 'fno,unet'; add -m"):
        jobs(Typed(("model=fno,unet",)))
    with pytest.raises(ValueError, match=r"expected one setting as key=value, found .*quotes"):
        jobs(Typed(("model=[",)))


def test_a_sweep_of_a_command(tmp_path, monkeypatch, capsys):
    """The second job is refused when it is composed, the third one is done."""
    monkeypatch.setenv("PDEKIT_DATA", str(tmp_path))
    with pytest.raises(SystemExit) as stop:
        generate.main(["-m", *SMALL, "data.substeps=8,0,9"])
    out, err = capsys.readouterr()
    assert stop.value.code == 1 and "3 jobs, 1 failed" in out and "expected substeps >= 1" in err
    assert out.count(" done    ") == 2 and len(list((tmp_path / "ks").iterdir())) == 2
    assert sys.argv[0] != "pdekit.generate", "arguments of the process are left alone"


def test_the_configuration_is_shown_without_work(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PDEKIT_DATA", str(tmp_path))
    generate.main(["--cfg", "job", *SMALL])
    assert "substeps: 8" in capsys.readouterr().out and not list(tmp_path.iterdir())
