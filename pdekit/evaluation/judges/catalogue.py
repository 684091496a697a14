"""All judges of pdekit by name, in the order in which they are called."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pdekit.evaluation.judges.base import Judge, Setup
from pdekit.evaluation.judges.costs import Costs
from pdekit.evaluation.judges.coupling import Coupling
from pdekit.evaluation.judges.ensembles import Ensembles
from pdekit.evaluation.judges.fields import Fields
from pdekit.evaluation.judges.horizons import Horizons
from pdekit.evaluation.judges.physics import Physics
from pdekit.evaluation.judges.regions import Regions
from pdekit.evaluation.judges.statistics import Statistics

JUDGES: Mapping[str, Callable[[Setup], Judge]] = {
    "costs": Costs,  # first: it warms all models up before their first forecasts
    "fields": Fields,
    "ensembles": Ensembles,
    "statistics": Statistics,
    "physics": Physics,
    "coupling": Coupling,
    "regions": Regions,
    "horizons": Horizons,  # last: it reads the scores of the others
}

NEEDED = ("costs", "fields")
"""Judges that are always there, because the table of the report is made of their scores."""
