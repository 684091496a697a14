"""Read the stored configuration of a run, which may be untrusted: no interpolation, bounded size, short errors.

The environment, files and functions that a text such as ``${oc.env:NAME}`` names are never looked up: a configuration
is stored with all its values.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

MAX_BYTES = 10_000_000
MAX_EVENTS = 1_000_000
MAX_DEPTH = 64


RESTORE = "restore it, or start a new run"


def read_config(path: Path, remedy: str = RESTORE) -> dict[str, Any]:
    """Return the plain values of a stored ``config.yaml``, or of another YAML file with its own remedy in messages.

    Raises:
        FileNotFoundError: if there is no file.
        ValueError: if it is empty, damaged or too large, or holds aliases or interpolations.
    """
    import yaml
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    from pdekit.plain import check_bounds, mapping_or_empty

    if path.stat().st_size > MAX_BYTES:
        raise ValueError(
            f"expected a configuration of at most {MAX_BYTES / 1e6:.0f} MB, found more in {path}; do not use this file"
        )
    try:
        text = path.read_text(encoding="utf-8")
        _check_events(text, path)
        found = OmegaConf.to_container(OmegaConf.create(text), resolve=False) if text.strip() else {}
    except (yaml.YAMLError, UnicodeDecodeError, OmegaConfBaseException, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"expected a configuration in {path}, found a damaged file: {reason}; {remedy}") from None
    if not mapping_or_empty(found):
        raise ValueError(
            f"expected a configuration in {path}, found {'a list' if found else 'an empty file'}; {remedy}"
        )
    check_bounds(found)
    return found


NEEDED: Mapping[str, type | tuple[type, ...]] = {
    "model": (dict, type(None)),  # none: an object that no configuration can name
    "data": (dict, type(None)),  # none: data of the user, which have a name
    "training": dict,
    "loading": dict,
    "trainer": dict,
    "evaluation": dict,
    "choices": dict,
    "seed": int,
    "runs_dir": str,
    "data_dir": (str, type(None)),
}
"""Parts of the configuration of a run, with their kinds."""


def check_config(config: Mapping[str, Any], path: Path) -> None:
    """Check that all parts of a run's configuration are there; a file that was cut lacks some.

    Raises:
        ValueError: naming the first part that is missing or of another kind.
    """
    for name in _wrong(config, NEEDED):
        found = repr(config[name]) if name in config else "none"
        raise ValueError(f"expected {name} in {path}, found {found}; the file may have been cut: {RESTORE}")
    if config["data"] is None and _wrong(config, {"name": str}):
        raise ValueError(f"expected data, or a name of your own data, in {path}, found none; {RESTORE}")
    for name in _wrong(config["choices"], {"model": str, "data": str, "trainer": str}):
        raise ValueError(f"expected choices.{name} in {path}, found none; the file may have been cut: {RESTORE}")


def _wrong(values: Mapping[str, Any], kinds: Mapping[str, Any]) -> list[str]:
    """Return the names whose values are absent or of another kind."""
    return [name for name, kind in kinds.items() if name not in values or not isinstance(values[name], kind)]


def _check_events(text: str, path: Path) -> None:
    """Refuse aliases and interpolations, and bound nesting and size, before any value is made."""
    import yaml

    nesting = dict.fromkeys((yaml.MappingStartEvent, yaml.SequenceStartEvent), 1)
    nesting |= dict.fromkeys((yaml.MappingEndEvent, yaml.SequenceEndEvent), -1)
    depth = 0
    for number, event in enumerate(yaml.parse(text, Loader=yaml.SafeLoader)):
        depth += nesting.get(type(event), 0)
        if depth > MAX_DEPTH or number > MAX_EVENTS:
            raise ValueError(f"expected at most {MAX_DEPTH} levels in {path}, found more; do not use this file")
        if isinstance(event, yaml.AliasEvent):
            raise ValueError(f"expected values without aliases in {path}, found *{event.anchor}; {RESTORE}")
        if isinstance(event, yaml.ScalarEvent) and "${" in event.value:
            raise ValueError(
                f"expected values in {path}, found the interpolation {event.value[:80]!r}, which is not looked up; "
                "write the value"
            )
