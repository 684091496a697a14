"""The run-time type checker of the tests: beartype, with PEP 484's rule that an int will do where a float is asked.

The import hook of jaxtyping decorates every function. Its own decorator binds the arguments and checks them twice in
each call, which took most of the time of the tests; `lean` checks the same annotations once, and remembers sizes of
axes only where arrays are annotated.
"""

import dataclasses
import functools
import inspect
from types import FunctionType
from typing import Any, get_args, get_type_hints

import jaxtyping
from beartype import BeartypeConf, beartype

checked = beartype(conf=BeartypeConf(is_pep484_tower=True, violation_type=jaxtyping.TypeCheckError))
jaxtyped = jaxtyping.jaxtyped
MARK = "__checked_once__"


def install():
    """Let the import hook decorate with `lean`."""
    jaxtyping.jaxtyped = lambda *, typechecker: lean


def lean(made):
    """Return a function that checks its arguments and what it returns; a dataclass checks its fields."""
    if isinstance(made, FunctionType):
        return of_function(made)
    if dataclasses.is_dataclass(made) and not hasattr(made.__init__, MARK):
        made.__init__ = of_function(made.__init__)
    return made


def of_function(function):
    hints = {name: resolved(hint, function.__globals__) for name, hint in function.__annotations__.items()}
    symbolic = any("{" in str(hint) for hint in hints.values())  # an axis as long as the value of an argument
    if symbolic or inspect.isgeneratorfunction(function):  # what is yielded must not fix sizes of its caller
        return jaxtyped(function, typechecker=checked)
    inner = outer = checked(twin(function, hints))
    if any(map(has_arrays, hints.values())):

        def outer(*args, **kwargs):
            with jaxtyped("context"):
                return inner(*args, **kwargs)

    functools.update_wrapper(outer, function)
    setattr(outer, MARK, True)
    return outer


def twin(function, hints):
    """Return the same function with other annotations."""
    made = FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )
    made.__kwdefaults__, made.__annotations__ = function.__kwdefaults__, hints
    made.__module__, made.__qualname__ = function.__module__, function.__qualname__
    return made


def resolved(hint, names):
    """Return the type that an annotation names; Any, as jaxtyping has it, for names that are not known yet."""

    def one(value): ...

    one.__annotations__["value"] = hint
    try:
        return get_type_hints(one, names, include_extras=True)["value"]
    except Exception:
        return Any


def has_arrays(hint):
    """Return whether an annotation says axes of an array, at any depth."""
    if inspect.isclass(hint) and issubclass(hint, jaxtyping.AbstractArray):
        return True
    return any(map(has_arrays, get_args(hint)))
