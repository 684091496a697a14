"""Evaluations in tests: the settings of `pdekit.evaluation.loop.judge_models` as plain keywords."""

import dataclasses

from pdekit.evaluation.judges.catalogue import JUDGES
from pdekit.evaluation.loop import judge_models
from pdekit.evaluation.references.stored import StoredReference
from pdekit.evaluation.setup import Context, Models, Sampling, Scoring


def evaluate(models, source, folder, *, reference=None, judges=None, device=None, progress=False, **options):
    """Score models on a source; ``judges`` are names, and all other options fields of the groups of settings."""
    if judges is not None:
        options["judges"] = {name: JUDGES[name] for name in judges}

    def group(kind, **known):
        names = {field.name for field in dataclasses.fields(kind)} - set(known)
        return kind(**known, **{name: options.pop(name) for name in names & set(options)})

    groups = group(Models, surrogates=models), group(Sampling), group(Scoring), group(Context)
    assert not options, f"no such options: {options}"
    rows, sampling, scoring, context = groups
    return judge_models(
        rows, reference or StoredReference(source), folder, sampling, scoring, context, device, progress
    )
