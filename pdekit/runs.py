"""A run and its folder: what a training leaves behind, and how to use it again.

runs/<date>-<model>-<data>/
    config.yaml           the resolved configuration
    weights.safetensors   parameters and statistics, with the model's configuration and the problem: no pickle
    last.ckpt             to resume from
    metrics.csv           losses by step
    scores.nc, forecasts.nc, report.html
    provenance.json       versions, commit, seeds, hashes, times
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import torch
import xarray as xr
import yaml
from safetensors import safe_open
from safetensors.torch import save

from pdekit.data.domain import with_domain
from pdekit.data.layout import problem_from_plain
from pdekit.fields import Problem, Trajectory
from pdekit.given import (
    check_device,
    check_size,
    common_shape,
    forcing_field,
    input_field,
    known_mask,
    remark_ranges,
    sample_count,
    scalar,
    single,
    state,
    times,
)
from pdekit.labelled import to_dataset
from pdekit.models.base import Surrogate
from pdekit.models.constrained import Constrained
from pdekit.models.construction import configuration
from pdekit.models.modes import with_modes
from pdekit.models.prompts import Prompt, sample_points, sample_prompt
from pdekit.models.resolution import at_resolution
from pdekit.models.weights import fill, header_entry
from pdekit.plain import by_name, from_plain, to_json, to_plain
from pdekit.provenance import RECORD, read_record, sha256, write_whole
from pdekit.typed_values import check_numbers_of, check_seed

WEIGHTS = "weights.safetensors"
FORMAT = "pdekit run 1"


@dataclass(frozen=True)
class Run:
    """A trained surrogate and where it comes from.

    Args:
        path: the run folder.
        name: name of the method, as configured ("pde_refiner").
        model: ready to forecast.
        config: the resolved configuration, plain values.
        captions: of the samples that are forecast, see `captioned`.
    """

    path: Path
    name: str
    model: Surrogate
    config: dict[str, Any]
    captions: tuple[str, ...] = ()

    @property
    def problem(self) -> Problem:
        return self.model.problem

    def constrained(self, *names: str) -> Run:
        """Return the run with constraints on its forecasts: ``run.constrained("conserved").forecast(...)``.

        Args:
            names: "conserved", "zero_mean", "divergence", "boundary" or "positive", for all fields or, as in
                "positive:h+depth", for those that are named; see `pdekit.models.constraints`.

        Raises:
            ValueError: on an unknown name or field, or a constraint that does not suit the problem.
        """
        return replace(self, model=Constrained(self.model, names))

    def captioned(self, *captions: str) -> Run:
        """Return the run with captions for its forecasts: ``run.captioned("two plumes rise").forecast(None, t)``.

        Args:
            captions: one for all samples, or one for each.

        Raises:
            ValueError: if the model was trained without captions.
        """
        if not self.problem.has_text:
            raise ValueError("expected a run of data with captions, got one without; train with data.text=true")
        return replace(self, captions=captions)

    def forecast(
        self,
        u0: Any,
        t: Any,
        params: Mapping[str, Any] | None = None,
        coeffs: Mapping[str, Any] | None = None,
        members: int = 1,
        seed: int = 0,
        mask: Any = None,
        forcing: Mapping[str, Any] | None = None,
    ) -> xr.Dataset:
        """Forecast from a user's own fields, in physical units.

        Args:
            u0: the state at t = 0: a NumPy array, tensor or xarray object of shape "channel *space" or
                "sample channel *space", or "sample history channel *space" for a method that sees several frames;
                "*space" alone if there is one field. xarray objects are sorted by their names and coordinates, and
                must have the unit of the field if they state one. None if steady, or if no frame is seen.
            t: times wanted (one or a list of numbers), after t = 0, in the problem's unit; t = 0 too without u0.
            params: values of the problem's parameters, one number or one for each sample.
            coeffs: input fields, "*space" or "sample *space", by name.
            members: ensemble members; members of a deterministic method are equal.
            seed: seed of the members.
            mask: 1 where each field exists, if the problem has a mask: "*space" or "[sample] field *space".
            forcing: fields that vary in time, "time *space" or "sample time *space", by name: a frame for each time
                step from the first frame of u0 on to the last time wanted.

        Inputs may have another number of points of the same box, all of them the same one, if the model works there
        (see `at_resolution`). A coefficient, parameter or mask of one sample serves for all samples.

        Returns:
            One variable for each field on the grid of the inputs, with the dimensions (member, sample, time, x, y, z as
            far as they exist); NaN where the mask says that it does not. See `with_domain` for its attribute.

        Raises:
            ValueError: on a missing or unknown parameter or one outside the limits of the equation; names, dimensions,
                coordinates, shapes or times that do not fit; values that are not real and finite; another grid for a
                model that was made for one.
        """
        check_numbers_of(members=members)
        check_seed(seed)
        wanted = times(t)
        given = self._given(u0, by_name(params, "params"), by_name(coeffs, "coeffs"), mask, by_name(forcing, "forcing"))
        check_size("the forecast", members, len(given), wanted.numel(), *given.u.shape[2:])
        model = at_resolution(self.name, self.model, given.u.shape[3:])
        generator = torch.Generator().manual_seed(seed)
        u = model.forecast(given, wanted.expand(len(given), -1), members, generator)
        if given.mask is not None:
            u = torch.where(given.mask[:, None] > 0, u, torch.nan)
        return with_domain(to_dataset(u, wanted, model.problem, ("member", "sample")), self.path, given, self.problem)

    def sample(self, prompt: Prompt) -> xr.Dataset:
        """Generate trajectories that follow a prompt: ``run.sample(Prompt("two plumes rise", seed=1, members=4))``.

        Returns:
            A variable for each field with the dimensions (member, time, x, y, z as far as they exist, or point).

        Raises:
            ValueError: if the model does not generate from text or parameters alone, or was not trained for the prompt.
        """
        (u, t), points = sample_prompt(self.model, prompt), sample_points(self.model)
        values = {name: torch.tensor([float(value)]) for name, value in prompt.params.items()}
        remark_ranges(values, self.config.get("ranges", {}))
        words = prompt.text or ", ".join(f"{name} {value:g}" for name, value in prompt.params.items())
        return to_dataset(u, t, self.problem, ("member",), points).assign_attrs(prompt=words, seed=prompt.seed)

    def _given(
        self, u0: Any, params: Mapping[str, Any], coeffs: Mapping[str, Any], mask: Any, forcing: Mapping[str, Any]
    ) -> Trajectory:
        problem, history = self.problem, self.model.window[0]
        for what, found, known in (
            ("params", params, problem.params),
            ("coeffs", coeffs, [field.name for field in problem.coeffs]),
            ("forcing", forcing, [field.name for field in problem.forcing]),
        ):
            if set(found) != set(known):
                raise ValueError(
                    f"expected {what} {sorted(known)}, got {sorted(found)}; give {what}={{name: value}} for each"
                )
        if u0 is None and history:
            raise ValueError(
                "expected the state u0 at t = 0, got None; only a steady problem needs none, or a method that sees no "
                "frame"
            )
        if u0 is not None and not history:
            raise ValueError("expected no state u0 (steady, or a method that sees no frame), got one; give None")
        scalars = {name: scalar(f"params[{name!r}]", value) for name, value in params.items()}
        if problem.pde is not None:
            problem.pde.check(scalars)
        remark_ranges(scalars, self.config.get("ranges", {}))
        fields = {name: input_field(name, value, problem) for name, value in coeffs.items()}
        u = None if u0 is None else state(u0, problem, history)
        if (mask is None) == problem.has_mask:
            wanted, got = ("a mask", "none") if problem.has_mask else ("no mask", "one")
            raise ValueError(
                f"expected {wanted} for this problem, got {got}; give mask=... where fields exist, or none"
            )
        forces = {name: forcing_field(name, value, problem) for name, value in forcing.items()}
        parts = ({} if u is None else {"u0": u}) | fields | forces
        shape = common_shape(parts, problem)
        inside = None if mask is None else known_mask(mask, problem, shape)
        sized = {**parts, **scalars, **({} if inside is None else {"mask": inside}), "captions": self.captions or ("",)}
        n = sample_count({name: len(part) for name, part in sized.items()})
        u = single("u0", torch.zeros(1, 0, problem.n_channels, *shape) if u is None else u)
        columns = [single(f"params[{name!r}]", scalars[name]).expand(n) for name in problem.params]
        ticks = torch.arange(1 - u.shape[1], 1, dtype=torch.float64).expand(n, -1)
        dt = scalars["dt"].expand(n)[:, None] if "dt" in problem.params else problem.dt or 0.0
        return Trajectory(
            u=u.expand(n, *u.shape[1:]),
            t=ticks * dt,
            mask=None if inside is None else inside.float().expand(n, *inside.shape[1:]),
            params=torch.stack(columns, 1) if columns else None,
            coeffs=torch.stack([fields[f.name].float().expand(n, *shape) for f in problem.coeffs], 1)
            if fields
            else None,
            forcing=torch.stack([forces[f.name].float().expand(n, -1, *shape) for f in problem.forcing], 2)
            if forces
            else None,
            text=self.captions * n if len(self.captions) == 1 else self.captions or None,
            index=torch.arange(n),
        )


def new_folder(root: str | Path, model: str, data: str, now: datetime | None = None) -> Path:
    """Make ``<root>/<date>-<model>-<data>``, with a number behind it if that exists."""
    stamp = (now or datetime.now()).strftime("%Y-%m-%d-%H%M%S")
    name = Path(root) / f"{stamp}-{model}-{data}"
    for attempt in range(1, 1000):
        path = name if attempt == 1 else name.with_name(f"{name.name}-{attempt}")
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            continue
        return path.resolve()
    raise FileExistsError(f"expected a free name for a run like {name}, found a thousand; clear the folder")


def save_config(path: Path, config: Mapping[str, Any]) -> None:
    """Write ``config.yaml``: plain values, as the command line reads them to resume or evaluate the run."""
    write_whole(path / "config.yaml", yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True))


def save_weights(path: Path, model: Surrogate, name: str, config: Mapping[str, Any]) -> None:
    """Write parameters and buffers, with all that is needed to build the model again; remove an earlier check.

    Args:
        path: the run folder.
        model: trained.
        name: name of the method.
        config: configuration of the run; ``config["model"]`` names the method and its options, or is None.
    """
    tensors = {key: value.detach().cpu().contiguous().clone() for key, value in model.state_dict().items()}
    problem = to_json(to_plain(model.problem))
    header = {"format": FORMAT, "name": name, "config": to_json(config), "problem": problem}
    partial_file = path / (WEIGHTS + ".partial")
    partial_file.write_bytes(save(tensors, metadata=header))
    if (path / WEIGHTS).exists():
        (path / "check.json").unlink(missing_ok=True)  # of the weights that are replaced
    os.replace(partial_file, path / WEIGHTS)


def save_model(path: Path, model: Surrogate) -> None:
    """Write the weights of a model that was made in Python, with the configuration of its constructor.

    A model that no configuration can name (a net of a lambda, a class of a script) is saved without one, with a
    warning; `load` then needs ``model=``.
    """
    save_weights(path, model, method_name(model), {"model": configuration_or_none(model)})


def method_name(model: Surrogate) -> str:
    """Name of a method that no configuration file names.

    >>> from pdekit.models.baselines.mean import Mean
    >>> method_name(Mean.__new__(Mean))
    'mean'
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(model).__name__).lower()


def configuration_or_none(model: Surrogate) -> dict[str, Any] | None:
    """Configuration of a model (`configuration`), or None with a warning that says why there is none."""
    try:
        return configuration(model)
    except ValueError as error:
        warnings.warn(
            f"this run can be loaded only with load(path, model=...), a model constructed like this one: {error}",
            stacklevel=2,
        )
        return None


def load(path: str | Path | Run, trust: Sequence[str] = (), device: str = "cpu", model: Surrogate | None = None) -> Run:
    """A trained run, ready to forecast.

    Args:
        path: the run folder; a run is returned as it is.
        trust: packages in addition to pdekit that its method, nets or equation may come from. Loading runs their code.
        device: device of the model.
        model: constructed as for training, for a run of a lambda or a class of a script, which no configuration names.

    Raises:
        FileNotFoundError: if there are no weights.
        ValueError: if there is no such device; if the weights are damaged, not of this package, not those that
            ``provenance.json`` records, of another model, or name code outside the package that is not trusted.
    """
    if isinstance(path, Run):
        return path
    check_device(device)
    path = Path(path)
    if not (path / WEIGHTS).exists():
        raise FileNotFoundError(
            f"expected {WEIGHTS} in {path}, found "
            f"{sorted(p.name for p in path.iterdir()) if path.is_dir() else 'no such folder'}; give the folder of a "
            "finished run (an unfinished one goes on with resume=RUN)"
        )
    try:
        with safe_open(path / WEIGHTS, "pt", device="cpu") as stored:
            header = stored.metadata() or {}
            tensors = {key: stored.get_tensor(key) for key in stored.keys()}  # noqa: SIM118
    except Exception as error:  # safetensors raises an error class of its own for a damaged file
        raise ValueError(f"expected weights in {path / WEIGHTS}, found a damaged file: {error}; train again") from error
    if header.get("format") != FORMAT:
        raise ValueError(f"expected a {FORMAT!r} file, found {header.get('format')!r} in {path / WEIGHTS}; train again")
    check_recorded(path)
    missing = [key for key in ("name", "config", "problem") if key not in header]
    if missing:
        raise ValueError(f"expected {', '.join(missing)} in the header of {path / WEIGHTS}, found none; train again")
    config, stored = (header_entry(header, key, path / WEIGHTS) for key in ("config", "problem"))
    problem = problem_from_plain(stored, trust)
    model = _to_be_filled(model, config.get("model"), problem, path, trust)
    fill(model, tensors, path / WEIGHTS)
    return Run(path, header["name"], model.to(device).eval(), config)


def check_recorded(path: Path) -> None:
    """Check that the weights of a run are those whose SHA-256 its ``provenance.json`` records, if it records one.

    Raises:
        ValueError: if they differ.
    """
    wanted = read_record(path).get("weights")
    found = None if wanted is None else sha256(path / WEIGHTS)
    if found != wanted:
        raise ValueError(
            f"expected weights with the SHA-256 {str(wanted)[:12]} that {path / RECORD} records, found "
            f"{str(found)[:12]}: one of the two files was changed or damaged; restore it, or remove {RECORD} to use "
            "the weights as they are"
        )


def _to_be_filled(
    model: Surrogate | None, config: Mapping[str, Any] | None, problem: Problem, path: Path, trust: Sequence[str]
) -> Surrogate:
    """The model that a run's weights belong into: the one given, or the configured one."""
    if model is not None:
        if model.problem != problem:
            raise ValueError(f"expected a model of the run's problem {problem}, got one of {model.problem}; rebuild it")
        return model
    if config is None:
        raise ValueError(
            f"expected a run whose configuration names its model, found one in {path} that was made in Python from "
            "objects without a name (a lambda, a class of a script); construct the model as for training and give "
            "load(path, model=...), or move its classes into a module and train again"
        )
    return build_model(config, problem, trust)


def build_model(config: Mapping[str, Any], problem: Problem, trust: Sequence[str] = ()) -> Surrogate:
    """Return the method that a configuration names, for a problem.

    Modes of a net that are left to the training data (``modes: auto``) are chosen from the grid alone here.

    Raises:
        ValueError: if the configuration names something that is no method, or the method refuses the problem.
    """
    method = from_plain({**with_modes(config, problem), "_partial_": True}, trust, "model")
    name = config.get("_target_")
    try:
        model = method(problem)
    except (TypeError, AttributeError, ArithmeticError, LookupError, RuntimeError) as error:  # the last one: no memory
        raise ValueError(
            f"expected a model and options that fit the problem, found {name!r} with {sorted(config)}: {error}; "
            "correct the model"
        ) from error
    if not isinstance(model, Surrogate):
        raise ValueError(f"expected a model, found {name!r}; name a class of pdekit.models, or one of your own")
    return model
