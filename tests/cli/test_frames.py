"""A reader follows a number from the command line to its formula in few steps."""

import sys
from pathlib import Path

import pdekit
from pdekit.metrics.pointwise import nrmse
from pdekit.models.one_step import OneStep
from tests.evaluation.waves import PROBLEM, Shift, run
from tests.test_damaged_runs import TINY, command, training_command

PACKAGE = str(Path(pdekit.__file__).parent)


def own_frames() -> list[str]:
    """Functions of pdekit on the stack, the outermost first."""
    found, frame = [], sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename.startswith(PACKAGE):
            found.insert(0, frame.f_code.co_name)
        frame = frame.f_back
    return found


def test_five_frames_lead_from_the_command_line_to_the_loss(monkeypatch, tmp_path):
    """The fifth is the module that ``python -m pdekit.train`` runs, or the ``main`` of ``pdekit train``."""
    seen, loss = [], OneStep.loss

    def watched(self, batch):
        seen.append(own_frames())
        return loss(self, batch)

    monkeypatch.setattr(OneStep, "loss", watched)
    monkeypatch.setenv("PDEKIT_DATA", str(tmp_path / "datasets"))
    command(monkeypatch, training_command, *TINY, f"runs_dir={tmp_path}")
    assert seen[0] == ["main", "carry_out", "train_stages", "training_step"]


def test_three_frames_lead_from_the_judges_to_the_formula_of_nrmse(monkeypatch, tmp_path):
    """The third is the formula itself."""
    seen, formula = set(), nrmse.of_sums

    def watched(sums):
        seen.add(tuple(own_frames()))
        return formula(sums)

    monkeypatch.setattr(nrmse, "of_sums", watched)
    run(tmp_path, {"exact": Shift(PROBLEM)}, horizon=2).close()
    assert seen == {("judge_models", "forecast")}
