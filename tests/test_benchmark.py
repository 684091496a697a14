"""A benchmark: its jobs, what is refused, interruption and resumption, and the page from scores alone."""

import os
import shutil
import time
from pathlib import Path

import pytest
import xarray as xr

from pdekit import benchmark
from pdekit.cli.command_line import choices
from pdekit.cli.suites import BASELINES, chosen_from, suite_named
from pdekit.recipes.claims import STALE
from pdekit.train import typed_config
from pdekit.workflows import suite_page, suite_run
from pdekit.workflows.training_run import Stopped
from tests.entry_points import command, failure

STUDIES = Path(__file__).parents[1] / "experiments"
SUITE = """\
problems:
  line: [data=ks, "data.grid.shape=[32]", "data.grid.extent=[20.0]", data.substeps=8, data.warmup=0.8]
  ring: [data=lorenz_96, data.pde.n_sites=4, data.warmup=0.1]
models:
  fno: [model=fno, model.net.width=2, model.net.n_layers=1, model.net.modes=2]
  own: configs/model/still.yaml
seeds: [0, 1]
settings:
  - "data.n_trajectories={train: 2, valid: 1, test: 2}"
  - "data.n_frames={train: 3, valid: 3, test: 4}"
  - training.steps=1
  - training.validate_every=1
  - trainer.threads=1
  - evaluation.progress=false
  - evaluation.judges=[horizons]
  - evaluation.timing_batches=[1]
  - "evaluation.sweep={sizes: [1.0], steps: [1], precisions: [float64]}"
budgets:
  quick: {seeds: [3], settings: [training.lr=1e-4]}
"""
OWN = "# the last frame given\n_target_: pdekit.models.baselines.persistence.Persistence\n"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("suite")
    (folder / "configs" / "model").mkdir(parents=True)
    (folder / "configs" / "model" / "still.yaml").write_text(OWN)
    (folder / "tiny.yaml").write_text(SUITE)
    return folder


@pytest.fixture(scope="module")
def finished(written):
    """A benchmark of which the third job is interrupted, and that then goes on; the jobs of each session."""
    sessions, carried = [[], []], suite_run.carry_out
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(written)
        patch.delenv("PDEKIT_DATA", raising=False)

        def carry_out(plan, resume=None):
            sessions[-1 if sessions[1] is seen else 0].append(plan.name)
            if seen is sessions[0] and len(seen) == 3:
                raise Stopped("stopped after 0 steps")
            return carried(plan, resume)

        patch.setattr(suite_run, "carry_out", carry_out)
        patch.setattr("pdekit.evaluation.run.write_report", lambda folder, sections: folder)  # half of the time
        seen = sessions[0]
        with pytest.raises(SystemExit) as stop:
            command(patch, benchmark, "suite=tiny.yaml", "folder=out", "problems=[line]")
        assert stop.value.code == 130
        seen = sessions[1]
        command(patch, benchmark, "suite=tiny.yaml", "folder=out", "problems=[line]")
        with pytest.raises(SystemExit) as stop:  # the only run fails
            command(patch, benchmark, "suite=tiny.yaml", "folder=out", "problems=[ring]", "models=[fno]", "seeds=[0]")
        assert stop.value.code == 1
    return written / "out", sessions


def test_the_jobs_of_a_suite(written):
    suite = suite_named(str(written / "tiny.yaml"))
    jobs = suite.jobs()
    assert [job.name for job in jobs[:5]] == ["line/baselines", "line/fno-0", "line/own-0", "line/fno-1", "line/own-1"]
    assert len(jobs) == 2 * (1 + 2 * 2)
    own = jobs[2].overrides
    assert own[0] == f"hydra.searchpath=[file://{written / 'configs'}]" and "model=still" in own and "seed=0" in own
    assert "evaluation.sweep.sizes=[]" in own and "evaluation.sweep.sizes=[]" not in jobs[0].overrides
    quick = suite_named(str(written / "tiny.yaml"), "quick")
    assert quick.seeds == (3,) and quick.settings[-1] == "training.lr=1e-4"


def test_a_suite_of_a_study_joins_the_folder_of_a_suite_of_pdekit():
    """Its jobs have the settings with which the baselines were begun."""
    for budget in (None, "quick"):
        own = suite_named(str(STUDIES / "classic" / "shock_tubes.yaml"), budget)
        jobs = {job.name: job for job in suite_named("classic", budget).jobs()}
        shared = [job for job in own.jobs() if job.name in jobs]
        assert [job.name for job in shared] == ["euler_1d/baselines"] and shared == [jobs[shared[0].name]]


def test_models_and_problems_join_by_name_or_path(written):
    suite = suite_named(str(written / "tiny.yaml"))
    path = str(written / "configs" / "model" / "still.yaml")
    found = chosen_from(suite, ["ring", "ks"], ["unet", path], [5], ["training.steps=2"])
    assert found.problems == {"ring": suite.problems["ring"], "ks": ("data=ks",)}
    assert found.models["unet"] == ("model=unet",) and found.models["still"][1] == "model=still"
    assert found.seeds == (5,) and found.settings == (*suite.settings, "training.steps=2")
    with pytest.raises(ValueError, match="did you mean 'unet'"):
        chosen_from(suite, [], ["unett"], [], [])


@pytest.mark.slow
@pytest.mark.parametrize("name", list(choices("suite")))
def test_every_suite_of_pdekit_composes(name):
    suite = suite_named(name, "quick")
    first = next(iter(suite.problems))
    for job in (job for job in suite.jobs() if job.model == BASELINES or job.problem == first):
        assert typed_config(job.overrides)["choices"]["data"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("problems: &a {x: [data=ks]}\nmodels: *a", "found \\*a"),
        ("problems: {x: ['data=${oc.env:HOME}']}", "interpolation"),
        ("problems: !!python/object/apply:os.system [ls]", "damaged"),
        ("problems: {x: [data=ks]}\nmodels: {../y: [model=fno]}", "expected names of letters"),
        ("problems: {x: [data=ks]}\nmodels: {y: [model=fno, data_dir=/]}", "settings other than .*data_dir"),
        ("problems: {x: [data=ks, runs_dir=/]}", "settings other than"),
        ("problems: {x: [hydra.run.dir=/]}", "settings other than"),
        ("problems: {x: [data=ks]}\nmodels: {y: '/etc/passwd'}", "in a folder named 'model'"),
        ("problems: {x: ['seed=1']}", "settings other than"),
        ("problems: {x: [data=ks]}\nmodels: {y: [model=fno, +model@data_dir=fno]}", "settings other than"),
        ("problems: {x: ['training.steps=1,2']}", "expected one value of training.steps"),
        ("problems: {x: [data=ks]}\nmodels: {y: [model=fno]}\nseeds: [0, 0]", "different whole numbers"),
        ("problems: {x: [data=ks]}\nmodels: {y: [model=fno]}\nseed: [0]", "did you mean 'seeds'"),
        ("problems: {x: [data=ks]}", "expected models"),
        ("problems: {x: [data=ks]}\nmodels: {y: [model=fno]}\nseeds: []", "different whole numbers"),
        ("problems: {x: [data=ks]}\nmodels: {y: [model=fno]}\nsettings: [model=mean]", r"choose it by models=\[NAME\]"),
        ("problems: {x: [data=ks, model=mean]}", "expected settings without model= as x"),
        ("problems: {x: [data=ks]}\nmodels: {y: [model=fno, data=ks]}", "expected settings without data= as y"),
        ("problems: {x: []}", "expected data=NAME among the settings of x"),
        ("problems: {x: [data=ks]}\nmodels: {y: [training.steps=1]}", "expected model=NAME among the settings of y"),
        ("- a\n- b", "found a list; write problems: and models:"),
    ],
)
def test_a_hostile_or_wrong_suite_is_refused(tmp_path, text, message):
    (tmp_path / "s.yaml").write_text(text)
    with pytest.raises(ValueError, match=message):
        suite_named(str(tmp_path / "s.yaml"))


def test_a_target_of_another_package_needs_trust(written, tmp_path, monkeypatch):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "bad.yaml").write_text("# bad\n_target_: os.system\n")
    monkeypatch.chdir(written)
    place, bad = tmp_path / "o", tmp_path / "model" / "bad.yaml"
    with pytest.raises(SystemExit):
        command(monkeypatch, benchmark, "suite=tiny.yaml", f"folder={place}", "problems=[line]", f"models=[{bad}]",
                "seeds=[0]", "job=line/bad-0")  # fmt: skip
    assert "a configuration may not name other code" in suite_run.why_failed(place / "line" / "bad-0")


def test_a_model_of_a_stranger_does_not_choose_where_files_are_written(written, tmp_path, monkeypatch):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "sly.yaml").write_text("# @package _global_\ndata_dir: /elsewhere\n")
    monkeypatch.chdir(written)
    place, sly = tmp_path / "o", tmp_path / "model" / "sly.yaml"
    with pytest.raises(SystemExit):
        command(monkeypatch, benchmark, "suite=tiny.yaml", f"folder={place}", "problems=[line]", f"models=[{sly}]",
                "seeds=[0]", "job=line/sly-0")  # fmt: skip
    assert "may not choose where files are written" in suite_run.why_failed(place / "line" / "sly-0")


def test_two_models_of_one_name_are_refused(written, tmp_path):
    suite = suite_named(str(written / "tiny.yaml"))
    (tmp_path / "model").mkdir()
    for name in ("fno", BASELINES):
        (tmp_path / "model" / f"{name}.yaml").write_text(OWN)
        with pytest.raises(ValueError, match=f"different names.*found '{name}'"):
            chosen_from(suite, [], ["fno", str(tmp_path / "model" / f"{name}.yaml")], [], [])
    assert list(chosen_from(suite, [], ["fno", "fno"], [], []).models) == ["fno"]


def test_a_folder_of_a_stranger_is_a_page_of_reasons(tmp_path):
    damaged = {"job.json": "[]", "failed.json": "[3]", "scores.nc": "nothing"}
    for job, files in (("baselines", ("job.json", "scores.nc")), ("a-0", ("job.json", "failed.json"))):
        (tmp_path / "p" / job).mkdir(parents=True)
        for name in files:
            (tmp_path / "p" / job / name).write_text(damaged[name])
    xr.Dataset({"u": ("model", [0.0])}).to_netcdf(tmp_path / "p" / "a-1.nc", engine="h5netcdf")
    (tmp_path / "p" / "a-1").mkdir()
    (tmp_path / "p" / "a-1" / "job.json").write_text("{}")
    (tmp_path / "p" / "a-1.nc").rename(tmp_path / "p" / "a-1" / "scores.nc")
    suite_page.write_benchmark_page(tmp_path)
    text = (tmp_path / "benchmark.md").read_text()
    assert "failed.json is damaged" in text and "found a damaged file" in text and "scores.nc is not pdekit's" in text
    with pytest.raises(ValueError, match=r"with which .* was begun"):
        suite_run.check_begun(tmp_path / "p" / "a-0", ["data=ks"])


def test_the_claim_of_a_machine_that_was_switched_off_is_taken_over(tmp_path):
    claims = tmp_path / suite_run.CLAIMS
    claims.mkdir()
    (claims / "notes.claim-old").write_text("")
    for text in ('{"machine": "another", "pid": 1, "start": "5"}', "[]"):
        (claims / "p--a-0.claim-0").write_text(text)
        with suite_run.taken(tmp_path, "p/a-0") as ours:
            assert not ours, "it lives"
        os.utime(claims / "p--a-0.claim-0", (1e9, 1e9))
        with suite_run.taken(tmp_path, "p/a-0") as ours:
            assert ours


def test_what_does_not_exist_is_said(monkeypatch, written):
    assert "did you mean 'multiphysics'" in failure(monkeypatch, benchmark, "suite=multiphysic")
    assert "found 'slow'" in failure(monkeypatch, benchmark, "suite=multiphysics", "budget=slow")
    assert "expected suite=NAME once" in failure(monkeypatch, benchmark, "models=[fno]")
    assert "expected jobs of a benchmark" in failure(monkeypatch, benchmark, "page=nowhere")
    assert "expected a problem of the suite or of pdekit, found 'kss'" in failure(
        monkeypatch, benchmark, "suite=chaos", "problems=[kss]"
    )
    path = f"suite={written / 'tiny.yaml'}"
    for wrong, sentence in (
        ("seeds=[]", "expected a value of seeds=, found none"),
        ("page=", "expected a value of page=, found none"),
        ("list=yes", "expected list=true or list=false, found list=yes"),
        ("model=unet", "expected settings without model= as settings of the command line"),
        (f"folder={written / 'tiny.yaml'}", "expected a folder for the runs, found the file"),
        ("job=[line/fno-0,line/fno_0]", "found job=line/fno_0"),
    ):
        assert sentence in failure(monkeypatch, benchmark, path, wrong)
    assert "did you mean 'line/fno-0'" in failure(monkeypatch, benchmark, path, "job=line/fno_0")


def test_a_job_has_one_process_and_survives_the_machine_of_another(tmp_path):
    """A machine that is gone gives no sign of life; no process of this one can know of it by its number."""
    with suite_run.taken(tmp_path, "line/fno-0") as first, suite_run.taken(tmp_path, "line/fno-0") as second:
        assert first and not second
    claim = tmp_path / suite_run.CLAIMS / "line--fno-0.claim-0"
    claim.write_text('{"machine": "elsewhere", "pid": 1, "start": "1"}')
    for age, free in ((STALE - 30, False), (STALE + 30, True)):
        os.utime(claim, times=(time.time() - age,) * 2)
        with suite_run.taken(tmp_path, "line/fno-0") as ours:
            assert ours is free
    assert [path.name for path in claim.parent.iterdir()] == [claim.name]


def test_commands_for_a_launcher(monkeypatch, written, capsys):
    command(monkeypatch, benchmark, f"suite={written / 'tiny.yaml'}", "seeds=[0]", "models=[fno]", "list=true")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4 and lines[1].endswith("job=line/fno-0") and "'seeds=[0]'" in lines[1]


@pytest.mark.slow
def test_interrupted_jobs_go_on_and_finished_ones_are_not_repeated(finished):
    out, (first, second) = finished
    assert first == ["fno", "still", "fno"] and second == ["fno", "still"]
    for job in ("line/fno-0", "line/fno-1", "line/own-1"):
        assert len(list((out / job).glob("*/scores.nc"))) == 1
    assert "grid nets need axes" in suite_run.why_failed(out / "ring" / "fno-0")
    assert not suite_run.why_failed(out / "line" / "fno-1")


@pytest.mark.slow
def test_the_page_is_made_of_scores_alone(finished, tmp_path):
    out, _ = finished
    for path in (p for p in out.rglob("*") if p.name in ("scores.nc", "job.json", "failed.json")):
        (tmp_path / path.relative_to(out)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, tmp_path / path.relative_to(out))
    page = suite_page.write_benchmark_page(tmp_path)
    text = (tmp_path / "benchmark.md").read_text()
    assert "| fno, 2 seeds (median, best and worst seed) |" in text and "| own, 2 seeds" in text
    line, ring = text.split("## line")[1].split("## ring")
    assert "| persistence |" in line and "solver 32, dt" in line and "### Cost and break-even" in line
    assert "| fno-0 | expected a problem with one to three axes" in ring and "fno-0" not in line
    found = suite_page.problem_scores(tmp_path / "line").scores
    one, other = (found.nrmse.sel(model=m).values for m in ("own, seed 0", "persistence"))
    assert (one == other).all(), "own model and baseline are the same"
    assert '<h2 id="line">' in page.read_text()


@pytest.mark.slow
def test_a_run_without_scores_is_continued(finished, monkeypatch, written):
    """Its training is finished: it is evaluated in the same folder, without a step more."""
    out, _ = finished
    monkeypatch.chdir(written)
    (run,) = (out / "line" / "own-0").glob("2*")
    (run / "scores.nc").unlink()
    command(monkeypatch, benchmark, "suite=tiny.yaml", "folder=out", "job=line/own-0")
    assert list((out / "line" / "own-0").glob("2*")) == [run] and (run / "scores.nc").is_file()
    message = "give another folder="
    with pytest.raises(SystemExit):
        command(monkeypatch, benchmark, "suite=tiny.yaml", "folder=out", "job=line/own-0", "training.lr=1e-4")
    assert message in suite_run.why_failed(out / "line" / "own-0")
