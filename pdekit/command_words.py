"""Words of command lines that are printed, so that a shell and Hydra read a value as it is meant."""

from __future__ import annotations

import re
from shlex import quote

PLAIN = re.compile(r"[\w./:+\- ]*")  # signs that Hydra's grammar leaves as they are


def override(key: str, value: object) -> str:
    """Return ``key=value`` as one word of a shell, in Hydra's quotes where its grammar needs them.

    >>> print(override("path", "runs/a"), override("path", "my data"), override("path", "a(1),b"))
    path=runs/a 'path=my data' 'path='"'"'a(1),b'"'"''
    """
    text = str(value)
    if not PLAIN.fullmatch(text) or text != text.strip():
        text = "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return quote(f"{key}={text}")
