"""The table of a report in Markdown and in LaTeX."""

from __future__ import annotations

from pdekit.report.charts.formats import milliseconds, number, time_text
from pdekit.report.parts import Cell, Table
from pdekit.report.summary import Row, Spread, Summary

ESCAPES = {
    **{sign: "\\" + sign for sign in "_%&#${}"},
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": "$<$", ">": "$>$",
    "|": "$|$", '"': "''", "²": "$^2$", "³": "$^3$", "×": r"$\times$", "·": r"$\cdot$", "≥": r"$\ge$", "≤": r"$\le$",
    "≈": r"$\approx$", "±": r"$\pm$", "∞": r"$\infty$", "°": r"$^\circ$", "µ": r"$\mu$", "−": "$-$", "–": "--",
    "\n": " ",
}  # fmt: skip
"""Signs of LaTeX, and signs that its fonts may lack."""
MARKDOWN = {sign: "\\" + sign for sign in "\\|*_`<>~$"} | {"\n": " "}
LINKS = {sign: "\\" + sign for sign in "[]"}
"""Brackets make links in names; those of quartiles do not."""


def heads(summary: Summary) -> list[str]:
    """Titles of the columns."""
    times = ["nRMSE" + summary.at(n, ", ") for n in range(len(summary.times))]
    if summary.frames[0] == 0 and len(times) > 1:
        times[0] = "nRMSE, one step"
    correlation = ["correlation time"] if summary.rows[0].correlation_time is not None else []
    return ["model", *times, *correlation, "diverged", "time per forecast", "network calls", "parameters"]


def cells(row: Row, n_columns: int) -> list[str]:
    """One row as text: medians with quartiles."""
    if row.kind == "absent":
        return [row.name, row.note, *[""] * (n_columns - 2)]
    errors = ["< floor" if low else _spread(error) for error, low in zip(row.errors, row.floored, strict=True)]
    held = []
    if row.correlation_time is not None:
        held = [time_text(row.correlation_time.median, row.censored)]
        if row.censored < 0.5:
            held = [_spread(row.correlation_time)]
    name = f"{row.name} ({row.note})" if row.note else row.name
    cost = [f"{100 * row.diverged:.0f} %", milliseconds(row.seconds), str(row.calls or "–"), str(row.parameters or "–")]
    return [name, *errors, *held, *cost]


def markdown(summary: Summary) -> str:
    """A table for a README.

    Medians, quartiles in brackets.
    """
    titles = heads(summary)
    rows = [cells(row, len(titles)) for row in summary.rows]
    lines = [[_plain(cell) for cell in titles], ["---", *["--:"] * (len(titles) - 1)]]
    lines += [[_translated(_plain(name), LINKS), *map(_plain, others)] for name, *others in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def markdown_of(table: Table) -> str:
    """Return a table of a page in Markdown; the best of a column is bold, small text follows in brackets."""
    heads = [f"{head}, {small}" if small else head for head, small in table.heads]
    lines = [[_plain(head) for head in heads], ["---", *["--:"] * (len(heads) - 1)]]
    for line in table.lines:
        found = [_with_small(cell) for cell in line.cells] or [_plain(line.reason)]
        found += [""] * (len(heads) - 1 - len(found))
        lines.append([_translated(_plain(f"{line.label} ({line.note})" if line.note else line.label), LINKS), *found])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _with_small(cell: Cell) -> str:
    text = _plain(cell.text)
    return (f"**{text}**" if cell.best else text) + "".join(f" ({_plain(small)})" for small in cell.small)


def latex(summary: Summary) -> str:
    """A table for a paper; it needs the package booktabs."""
    titles = heads(summary)
    rows = [[_escaped(cell) for cell in cells(row, len(titles))] for row in summary.rows]
    lines = [
        rf"\begin{{tabular}}{{l{'r' * (len(titles) - 1)}}}",
        r"\toprule",
        " & ".join(_escaped(title) for title in titles) + r" \\",
        r"\midrule",
        *(("{}" if row[0].startswith(("[", "*")) else "") + " & ".join(row) + r" \\" for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def _spread(spread: Spread) -> str:
    return f"{number(spread.median)} [{number(spread.lower, 2)}, {number(spread.upper, 2)}]"


def _translated(text: str, signs: dict[str, str]) -> str:
    return "".join(signs.get(sign, sign) for sign in text)


def _escaped(text: str) -> str:
    return _translated(text, ESCAPES)


def _plain(text: str) -> str:
    return _translated(text, MARKDOWN)
