"""Conditions at the ends of axes: their texts, the check against the layout, and the way through a file."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from pdekit.boundaries import Dirichlet, Inflow, Neumann, Outflow, Periodic, Robin, Wall, boundary_of, sides_of
from pdekit.data.formats import open_source
from pdekit.data.formats.the_well import TheWell
from pdekit.data.layout import problem_from_plain, problem_to_plain
from pdekit.data.writer import write_split
from pdekit.fields import Field, Grid, Points, Problem, Trajectory
from pdekit.plain import from_plain, to_plain
from pdekit.signals import Harmonic, TableSignal

ALL = (
    Periodic(),
    Dirichlet(),
    Dirichlet(-2.5e-7),
    Dirichlet("inlet"),
    Neumann(0.1),
    Neumann(Harmonic(0.0, 2.5, 0.5, 1e-3)),
    Robin(2.0, 0.5, 40.0),
    Robin(-1.5e-7, 1.0),
    Robin(0.0, 0.6, TableSignal((0.0, 1.5), (20.0, -3e-5))),
    Dirichlet(TableSignal((0.0, 1.0, 2.0), (0.0, 1.0, 0.0))),
    Wall(),
    Wall("no_slip"),
    Wall("free_slip"),
    Wall("no_slip", -1.5),
    Inflow(0.0),
    Inflow("inlet"),
    Outflow(),
)


@pytest.mark.parametrize("end", ALL, ids=str)
def test_a_condition_survives_its_text_and_its_plain_form(end):
    assert boundary_of(str(end)) == end and boundary_of(end) is end
    assert from_plain(to_plain(end)) == end


@pytest.mark.parametrize(
    "text, end",
    [("dirichlet", Dirichlet(0.0)), ("neumann -1", Neumann(-1.0)), ("open", Outflow()), ("wall", Wall())],
)
def test_texts_of_older_files_are_read(text, end):
    assert boundary_of(text) == end


@pytest.mark.parametrize(
    "text",
    [
        "wal",
        "",
        "periodic 1",
        "outflow 2",
        "inflow",
        "wall 3",
        "wall slippery",
        "dirichlet nan",
        "neumann inf",
        "robin",
        "robin 1",
        "robin 1 0",
        "robin one 1 2",
        "neumann harmonic 1",
        "neumann harmonic 0 1 nan",
        "dirichlet table 0:1",
        "dirichlet table 1:0 0:1",
        "dirichlet table 0 1",
    ],
)
def test_a_text_without_a_condition_is_refused(text):
    with pytest.raises(ValueError, match=r"expected .*; correct"):
        boundary_of(text)


@pytest.mark.parametrize("make", [lambda: Dirichlet(np.inf), lambda: Neumann("-inf"), lambda: Dirichlet("")])
def test_a_value_is_finite_or_a_name(make):
    with pytest.raises(ValueError, match="expected a finite number or the name of an input field"):
        make()


def test_numbers_are_floats_and_equal_values_are_equal():
    assert Dirichlet(1) == Dirichlet(1.0) == Dirichlet("1") != Dirichlet(2) and hash(Wall()) == hash(Wall())


# Problems

FIELDS = (Field("u"),)


def test_a_grid_has_the_boundary_of_its_layout():
    grid = Grid((4, 5), (1.0, 1.0), layout=("periodic", "nodes"))
    assert Problem(grid, FIELDS).boundary == ((Periodic(), Periodic()), (Wall(), Wall()))
    assert Problem(Points(2, 5), FIELDS).boundary == () == Problem(Grid((), ()), FIELDS).boundary


def test_texts_become_values():
    grid = Grid((4,), (1.0,), layout=("cells",))
    assert Problem(grid, FIELDS, boundary=[["inflow 1", "open"]]).boundary == ((Inflow(1.0), Outflow()),)


@pytest.mark.parametrize(
    "layout, boundary, sentence",
    [
        ("nodes", [("periodic", "periodic")], "axis x to be both periodic or both bounded, got 'nodes'"),
        ("cells", [("periodic", "wall")], "both periodic or both bounded.*set layout="),
        ("periodic", [("periodic", "wall")], "both periodic or both bounded"),
        ("periodic", [(Wall(), Wall())], "both periodic or both bounded"),
        ("nodes", [("wall", "wall"), ("wall", "wall")], "one .* pair for each of 1 axes"),
        ("nodes", ["wall"], "give two"),
        ("nodes", "wall", "one .* pair for each of 1 axes"),
        ("nodes", [("wall", "wall", "wall")], "give two"),
        (
            "nodes",
            [("dirichlet hot", "wall")],
            r"\(inlet\) in the boundary, got 'dirichlet hot'",
        ),
    ],
)
def test_contradictions_are_refused(layout, boundary, sentence):
    with pytest.raises(ValueError, match=sentence):
        Problem(Grid((4,), (1.0,), layout=(layout,)), FIELDS, boundary=boundary, coeffs=(Field("inlet"),))


def test_points_have_no_ends():
    with pytest.raises(ValueError, match="each of 0 axes"):
        Problem(Points(2, 5), FIELDS, boundary=[("wall", "wall")])


def test_the_name_of_an_input_field_is_a_value():
    grid = Grid((4,), (1.0,), layout=("nodes",))
    problem = Problem(grid, FIELDS, boundary=[("dirichlet inlet", "outflow")], coeffs=(Field("inlet"),))
    assert problem.boundary[0][0].given == "inlet"


# Files


def bounded(boundary):
    grid = Grid((4, 5), (1.0, 2.0), layout=("periodic", "nodes"))
    return Problem(grid, FIELDS, 0.1, 3, [("periodic", "periodic"), boundary])


@pytest.mark.parametrize(
    "ends, read",
    [
        ((Dirichlet(2.5), Outflow()), (Wall(), Outflow())),
        ((Wall("no_slip"), Wall("no_slip")), (Wall(), Wall())),
        ((Inflow(1.0), Neumann(-0.5)), (Outflow(), Wall())),
    ],
)
def test_a_file_keeps_the_condition_and_the_well_reads_its_kind(tmp_path, ends, read):
    problem = bounded(ends)
    assert problem_from_plain(problem_to_plain(problem)) == problem
    batch = Trajectory(u=torch.randn(1, 3, 1, 4, 5), t=torch.arange(3.0)[None] * 0.1, index=torch.zeros(1))
    path = tmp_path / "train" / "a.hdf5"
    write_split(path, problem, batch, "a")
    assert open_source([path]).problem == problem
    assert TheWell([path]).problem.boundary == ((Periodic(), Periodic()), read)


def test_a_problem_of_an_older_file_is_read():
    plain = problem_to_plain(bounded((Dirichlet(2.5), Outflow())))
    plain["boundary"] = [["periodic", "periodic"], ["dirichlet 2.5", "open"]]
    assert problem_from_plain(plain) == bounded((Dirichlet(2.5), Outflow()))


def test_another_layout_needs_another_boundary():
    problem = bounded((Wall(), Wall()))
    with pytest.raises(ValueError, match="both periodic or both bounded"):
        dataclasses.replace(problem, grid=dataclasses.replace(problem.grid, layout=("nodes", "nodes")))


def test_the_number_of_axes_is_that_of_the_layout():
    assert sides_of((), ("periodic", "cells"), "xyz") == ((Periodic(), Periodic()), (Wall(), Wall()))


def test_the_phase_of_a_harmonic_signal_runs_ahead():
    """1 + 2 sin(2 pi t / 4 + pi / 2) begins at its maximum, and 1 + 2 sin(2 pi t / 4 + pi / 6) at 2."""
    t = torch.tensor([0.0, 1.0], dtype=torch.float64)
    for phase, expected in ((math.pi / 2, (3.0, 1.0)), (math.pi / 6, (2.0, 1 + math.sqrt(3)))):
        assert Harmonic(1, 2, 0.25, phase)(t).tolist() == pytest.approx(expected, abs=1e-12)
