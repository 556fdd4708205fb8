"""What several indicators of one symbol need is computed once."""

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
Result = TypeVar("Result")

_results: ContextVar[dict[Hashable, tuple[Any, object]] | None] = ContextVar("results", default=None)


@contextmanager
def shared_intermediates() -> Iterator[None]:
    """Within it, a ``shared`` function that is called again on the same array objects returns the first call's result.

    Neither those arrays nor the results may be written to meanwhile.
    """
    before = _results.set({})
    try:
        yield
    finally:
        _results.reset(before)


def shared(function: Callable[P, Result]) -> Callable[P, Result]:
    """Marks a pure function of arrays and plain values; outside ``shared_intermediates`` it is called as it is."""

    @wraps(function)
    def once(*args: P.args, **kwargs: P.kwargs) -> Result:
        results = _results.get()
        if results is None or kwargs:
            return function(*args, **kwargs)
        key = (function, *map(id, args))
        if key not in results:
            # The arguments are kept with their result, so that nothing else can get their ids.
            results[key] = function(*args, **kwargs), args
        result: Result = results[key][0]
        return result

    return once
