"""Numbers as text: the same in tables, captions and on the terminal."""

from __future__ import annotations

import numpy as np


def number(value: float, digits: int = 3) -> str:
    """So many significant digits; small numbers by their power of ten; a diverged value by its name.

    >>> number(0.01234), number(123.4), number(0.0000567, 2), number(float("inf")), number(-2.5), number(12345)
    ('0.0123', '123', '5.7e−5', 'diverged', '−2.5', '12300')
    >>> number(float("nan"))  # not defined
    '–'
    """
    if value != value:
        return "–"
    if not np.isfinite(value):
        return "diverged"
    if value and (abs(value) < 1e-3 or abs(value) >= 1e6):
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        return f"{mantissa}e{int(exponent)}".replace("-", "−")
    text = f"{value:.{digits}g}"
    return (f"{float(text):.0f}" if "e" in text else text).replace("-", "−")


def between(lower: float, upper: float) -> str:
    """Two ends, with as many digits as distinguish them, four at most.

    >>> between(0.123, 0.456), between(0.9981, 0.9992), between(-2.0, -1.0)
    ('0.12 – 0.46', '0.998 – 0.999', '−2 to −1')
    """
    digits = next((n for n in (2, 3) if number(lower, n) != number(upper, n)), 4)
    return f"{number(lower, digits)} {'to' if lower < 0 else '–'} {number(upper, digits)}"


def time_text(value: float, censored: float) -> str:
    """A time, with "≥" where at least half of the forecasts outlast the horizon.

    >>> time_text(40.0, 0.6), time_text(3.81, 0.0)
    ('≥ 40', '3.81')
    """
    return f"≥ {number(value)}" if censored >= 0.5 else number(value)


def milliseconds(seconds: float) -> str:
    """A time per forecast.

    >>> milliseconds(0.01234), milliseconds(1e-7), milliseconds(12.0), milliseconds(float("nan"))
    ('12.3 ms', '< 0.01 ms', '12 s', '–')
    """
    if seconds != seconds:
        return "–"
    if seconds >= 10:
        return f"{number(seconds)} s"
    return f"{number(1000 * seconds)} ms" if seconds >= 1e-5 else "< 0.01 ms"


def size(count: int) -> str:
    """A number of parameters.

    >>> size(0), size(950), size(1_234_567)
    ('–', '950', '1.23 M')
    """
    if count >= 1_000_000:
        return f"{count / 1e6:.3g} M"
    return f"{count / 1e3:.3g} k" if count >= 1000 else str(count or "–")


def memory(count: int) -> str:
    """Bytes.

    >>> memory(0), memory(2048), memory(3_500_000_000)
    ('–', '2.05 kB', '3.5 GB')
    """
    for power, unit in ((9, "GB"), (6, "MB"), (3, "kB")):
        if count >= 10**power:
            return f"{count / 10**power:.3g} {unit}"
    return f"{count} B" if count else "–"


def duration(seconds: float) -> str:
    """A time of waiting.

    >>> duration(float("nan")), duration(0.5), duration(90), duration(7200)
    ('not known', '0.5 s', '1.5 min', '2 h')
    """
    if seconds != seconds:
        return "not known"
    if seconds >= 3600:
        return f"{seconds / 3600:.3g} h"
    return f"{seconds / 60:.3g} min" if seconds >= 60 else f"{seconds:.3g} s"


def energy(joules: float) -> str:
    """Energy that was used.

    >>> energy(1500.0), energy(7.2e6)
    ('1.5 kJ', '2 kWh')
    """
    if joules != joules:
        return "not known"
    if joules >= 3.6e6:
        return f"{joules / 3.6e6:.3g} kWh"
    return f"{joules / 1e3:.3g} kJ" if joules >= 1e3 else f"{joules:.3g} J"


def with_unit(name: str, unit: str) -> str:
    """A quantity as the label of an axis.

    >>> with_unit("vorticity", "1/s"), with_unit("u", "1")
    ('vorticity (1/s)', 'u')
    """
    return f"{name} ({unit})" if unit not in ("", "1") else name


def words(name: str) -> str:
    """The name of a variable in words.

    >>> words("boundary_rmse"), words("nrmse"), words("crmse_of_mass"), words("relative_h1")
    ('boundary RMSE', 'nRMSE', 'cRMSE of mass', 'relative H1')
    """
    known = {"rmse": "RMSE", "nrmse": "nRMSE", "vrmse": "VRMSE", "mae": "MAE", "crps": "CRPS", "crmse": "cRMSE",
             "brmse": "bRMSE", "frmse": "fRMSE", "l1": "L1", "l2": "L2", "h1": "H1",
             "wasserstein": "Wasserstein", "pod": "POD"}  # fmt: skip
    return " ".join(known.get(word, word) for word in name.split("_"))
