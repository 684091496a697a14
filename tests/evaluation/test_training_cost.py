"""What is known next to the forecasts: trust in the reference, and what the training took."""

import json
import math

import numpy as np

from pdekit.data.arrays import from_arrays
from pdekit.data.store import Split
from pdekit.evaluation.training_cost import NOT_RECORDED, Trust, data_seconds, spent_by, trust_in


def split(**documents) -> Split:
    """A split of which nothing is read but its documents."""
    made = object.__new__(Split)
    made.documents, made.problem, made.n_trajectories = documents, None, 1
    return made


CHECK = {
    "time": [0.0, 1.0, 2.0],
    "error_step": [[0.0, 0.1, 0.2], [0.0, 0.3, 0.3], [0.0, 0.1, 0.1]],
    "error_space": [[0.0, 0.2, 0.1], [0.0, 0.1, 0.1], [0.0, 0.5, 0.7]],
    "time_of_correlation_step": [1.5, None, None],
    "time_of_correlation_space": [None, 1.0, 0.5],
}


def test_the_worse_check_counts_and_the_middle_trajectory():
    trust = trust_in(split(self_convergence=CHECK))
    assert trust == Trust((0.0, 1.0, 2.0), (0.0, 0.3, 0.3), until=1.0)
    assert trust.attrs == {"predictable_until": 1.0, "predictability_checked_until": 2.0}


def test_checks_that_agree_to_the_end():
    agreed = {**CHECK, "time_of_correlation_step": [None] * 3, "time_of_correlation_space": [None, None, 1.0]}
    trust = trust_in(split(self_convergence=agreed))
    assert trust.until == math.inf
    assert trust.attrs == {"predictability_checked_until": 2.0}, "nothing is known beyond the check"
    some = {**CHECK, "time_of_correlation_step": [None, 2.0], "time_of_correlation_space": [None, None]}
    assert trust_in(split(self_convergence=some)).until == 2.0, "of an even number the sooner one"


def test_a_single_check_and_none():
    steady = {"time": [0.0], "error_space": [[0.01], [0.03], [0.02]]}
    assert trust_in(split(self_convergence=steady)) == Trust((0.0,), (0.02,))
    assert trust_in(split()) is None
    assert trust_in(from_arrays(np.ones((3, 2, 1, 4)), dt=1.0, extent=(1.0,)).sources["test"]) is None


def test_what_training_took(tmp_path):
    assert math.isnan(spent_by(tmp_path).seconds)
    record = {"seconds": {"training": 60.5}}
    (tmp_path / "provenance.json").write_text(json.dumps(record))
    found = spent_by(tmp_path)
    assert found.seconds == 60.5 and math.isnan(found.joules) and found.energy_absent == NOT_RECORDED
    record["energy"] = {"joules": {"processor": 100.0, "gpu": 900.0}, "absent": {}}
    (tmp_path / "provenance.json").write_text(json.dumps(record))
    assert spent_by(tmp_path).joules == 1000.0 and spent_by(tmp_path).energy_absent == ""
    record["energy"] = {"joules": {}, "absent": {"processor": "no counters"}}
    (tmp_path / "provenance.json").write_text(json.dumps(record))
    assert math.isnan(spent_by(tmp_path).joules) and spent_by(tmp_path).energy_absent == "processor: no counters"


def test_what_the_data_took():
    assert data_seconds(split(provenance={"seconds": 10.0, "workers": 2})) == 20
    assert math.isnan(data_seconds(split())) and math.isnan(
        data_seconds(from_arrays(np.ones((3, 2, 1, 4)), dt=1.0, extent=(1.0,)).sources["test"])
    )
