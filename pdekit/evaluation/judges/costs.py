"""Cost of forecasts, for the chart of cost against accuracy: one value for each model, in the scores.

``kind``, ``parameters``, ``precision`` (text), ``network_calls`` of one forecast (NFE), ``peak_bytes`` of tensors for
one frame of one sample, ``seconds_per_forecast`` (one member of one sample over the whole horizon, in batches of the
attribute ``batch_size``), ``seconds_by_batch`` (the same in batches of the coordinate ``batch``), ``training_seconds``
and ``training_joules``. Baselines and solvers are not trained: 0. NaN is not known. The attributes ``device``,
``processor``, ``threads``, ``compiled``, ``precision``, ``energy_absent`` and ``data_seconds`` hold for all models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from pdekit.evaluation.archive import Archive
from pdekit.evaluation.forecasting import Contender
from pdekit.evaluation.judges.base import Batch, Judge, Setup
from pdekit.evaluation.training_cost import Spent
from pdekit.machine import describe_machine


def cost_attrs(contenders: Sequence[Contender], device: torch.device, spent: Mapping[str, Spent]) -> dict[str, str]:
    """Describe the device, processor and precision that hold for the times of all models, as texts."""
    compiled = [c.name for c in contenders if c.compiled]
    precisions = dict.fromkeys(c.precision for c in contenders if c.kind == "surrogate" and c.precision)
    reasons = dict.fromkeys(found.energy_absent for found in spent.values() if found.energy_absent)
    name = f" ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else ""
    attrs = {
        "device": f"{device}{name}",
        "processor": str(describe_machine()["cpu"]),
        "compiled": f"compiled beforehand: {', '.join(compiled)}" if compiled else "nothing is compiled",
    }
    if precisions:
        attrs["precision"] = (
            f"{' and '.join(precisions)} for surrogates, and for solvers as named (float64 where nothing is said)"
        )
    return attrs | ({"energy_absent": "; ".join(reasons)} if reasons else {})


class Costs(Judge):
    """Times the forecasts of every model, and writes what they and the training cost."""

    def __init__(self, setup: Setup):
        self.setup = setup
        self.batches = sorted({*setup.scoring.timing_batches, setup.batch_size})
        self.seconds = np.full((len(setup.contenders), len(self.batches)), np.nan)

    def declare(self, archive: Archive) -> None:
        self.archive = archive
        archive.coordinate("batch", self.batches)

    def begin(self, batch: Batch) -> None:
        """Warm all models up before the first forecasts, and time them in batches of other sizes."""
        self.last = batch.last
        if batch.rows.start > 0:
            return
        for row, contender in enumerate(self.setup.contenders):
            contender.warm_up(batch.given, batch.t, batch.forcing)
            for column, size in enumerate(self.batches):
                if size != self.setup.batch_size:
                    self.seconds[row, column] = contender.seconds_with(size, batch.given, batch.t, batch.forcing)

    def finish(self) -> None:
        """Write the costs after the last batch; the scored forecasts give the times in batches of ``batch_size``."""
        if not self.last:
            return
        contenders, archive, size = self.setup.contenders, self.archive, self.setup.batch_size
        seconds = np.array([c.seconds_per_forecast(size) for c in contenders])
        self.seconds[:, self.batches.index(size)] = seconds
        put = {
            "kind": [c.kind for c in contenders],
            "parameters": [c.parameters for c in contenders],
            "precision": [c.precision for c in contenders],
            "network_calls": [max(timing.calls for timing in c.timings) for c in contenders],
        }
        for name, values in put.items():
            archive.put(name, ("model",), values)
        peaks = [c.peak_bytes for c in contenders]
        archive.put("peak_bytes", ("model",), peaks, {"long_name": "one frame of one sample"})
        words = {"units": "s", "long_name": "one member of one sample"}
        archive.put("seconds_per_forecast", ("model",), seconds, words)
        archive.put("seconds_by_batch", ("model", "batch"), self.seconds, {"units": "s"})
        spent = self.setup.models.spent
        trained = [spent.get(c.name, Spent()) if c.kind == "surrogate" else Spent(0.0, 0.0, "") for c in contenders]
        archive.put("training_seconds", ("model",), [s.seconds for s in trained], {"units": "s"})
        if any(s.joules > 0 for s in trained):
            archive.put("training_joules", ("model",), [s.joules for s in trained], {"units": "J"})
