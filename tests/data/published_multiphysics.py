"""Writes files in the layout of Multiphysics Bench, with fields that tell x from y, and left from right."""

import numpy as np
from scipy.io import savemat

BOXES = {
    "TE_heat": (0.128, 0.128),
    "NS_heat": (0.128, 0.128),
    "E_flow": (1.28e-3, 1.28e-3),
    "MHD": (0.08, 0.0275),
    "VA": (0.04, 0.04),
    "Elder": (300.0, 150.0),
}
# folder -> variable; complex where it is in the second set
QUANTITIES = {
    "TE_heat": {"mater": "mater", "Ez": "export_Ez", "T": "export_T"},
    "NS_heat": {"Q_heat": "export_Q_heat", "u_u": "export_u_u", "u_v": "export_u_v", "T": "export_T"},
    "E_flow": {name: f"export_{name}" for name in ("kappa", "ec_V", "u_flow", "v_flow")},
    "MHD": {**{name: f"export_{name}" for name in ("Br", "Jx", "Jy", "Jz")}, "u_u": "export_u", "u_v": "export_v"},
    "VA": {name: f"export_{name}" for name in ("rho_water", "p_t", "Sxx", "Sxy", "Syy", "x_u", "x_v")},
    "Elder": {name: f"export_{name}" for name in ("S_c", "u_u", "u_v", "c_flow")},
}
COMPLEX = {"Ez", "p_t", "Sxx", "Sxy", "Syy", "x_u", "x_v"}
GEOMETRY = {
    "TE_heat": ("ellipticcsv", [20.0, 12.0, 30.0]),
    "NS_heat": ("circlecsv", [0.01, -0.005, 0.014]),
    "E_flow": ("ellipticcsv", [0.05, -0.1, 0.14, 0.15]),
}


def places(problem, n):
    """x and y of the cell centres, indexed [x, y]."""
    lines = [((np.arange(n) + 0.5) / n - 0.5) * length for length in BOXES[problem]]
    return np.meshgrid(*lines, indexing="ij")


def value(problem, quantity, index, frame, x, y):
    """What is written, as a function of place."""
    length, height = BOXES[problem]
    x, y = x / length, y / height
    u = index + 10 * frame + 3 * x + x * y - 2 * y**2 + len(quantity)
    if quantity == "mater":
        return np.where((x / 0.2) ** 2 + (y / 0.1) ** 2 < 1, 2e11, 12.0 + x)
    if quantity == "kappa":
        return np.where((x - 0.1) ** 2 + y**2 < 0.01, 0.0, 1e-2 + 1e-3 * y)
    if quantity == "T":
        return 293.15 + u
    return u + 1j * (x - 5 * y) if quantity in COMPLEX else u


def stored(problem, array):
    """An array [x, y] as the publication stores it."""
    if problem == "TE_heat":
        return array
    return np.fliplr(array.T) if problem == "MHD" else array.T


def write(root, problem, split="training", indices=range(1, 13), n=16, suffix=".mat", leave_out=()):
    """A split of a problem; returns its folder."""
    folder, (x, y) = root / split / problem, places(problem, n)
    frames = range(11) if problem == "Elder" else [None]
    for quantity, variable in QUANTITIES[problem].items():
        (folder / quantity).mkdir(parents=True, exist_ok=True)
        if quantity in leave_out:
            continue
        low_high = {f"range_all{quantity}": np.array([[0.0, 1.0]])}
        savemat(folder / quantity / f"range_all{quantity}.mat", low_high)
        for index in indices:
            for frame in frames:
                array = stored(problem, value(problem, quantity, index, frame or 0, x, y))
                place = folder / quantity / (f"{index}{suffix}" if frame is None else f"{index}/{frame}{suffix}")
                place.parent.mkdir(exist_ok=True)
                if suffix == ".csv":
                    np.savetxt(place, array, delimiter=",")
                else:
                    savemat(place, {variable: array})
    if problem in GEOMETRY:
        name, numbers = GEOMETRY[problem]
        (folder / name).mkdir(exist_ok=True)
        for index in indices:
            np.savetxt(folder / name / f"{index}.csv", [numbers], delimiter=",")
    return folder
