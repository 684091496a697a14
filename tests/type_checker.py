"""The run-time type checker of the tests: beartype, with PEP 484's rule that an int will do where a float is asked."""

from beartype import BeartypeConf, beartype

checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
