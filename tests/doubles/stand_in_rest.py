"""A bar feed over HTTP as a trading platform offers it: a JSON list of bars behind a bearer key."""

import json
import math
from urllib.parse import unquote

import numpy as np
from stand_in_adjusting import cut, rounded, split_adjusted
from stand_in_faults import Fault, Kind
from stand_in_table import shown_at, spoiled, wants_partial
from stand_in_wire import Ask, Reply
from stand_in_world import World

REST_KEY = "stand-in-rest-token"
_COLUMNS = ("open", "high", "low", "close", "volume", "dividend", "split")


class RestFormat:
    """Answers of ``/bars/{symbol}?from=&to=``: split-adjusted bars, both days included."""

    def symbol_of(self, world: World, ask: Ask) -> str:
        """The symbol in the path, as the world calls it."""
        name = unquote(ask.path.rpartition("/")[2])
        return world.symbol_called("rest", name) or name

    def answer(self, world: World, ask: Ask, symbol: str, spoils: tuple[Fault, ...]) -> Reply:
        """Bars, oldest first."""
        if ask.headers.get("authorization") != f"Bearer {REST_KEY}":
            return _json({"error": "a valid key is required"}, 401)
        if world.instrument(symbol) is None:
            return _json({"error": f"unknown symbol {symbol}"}, 404)
        path = rounded(split_adjusted(shown_at(world.listed(symbol, "rest"), ask.now, wants_partial(spoils))), 6)
        begin, end = (np.datetime64(ask.query[name], "D") for name in ("from", "to"))
        path = spoiled(cut(path, (path.days >= begin) & (path.days <= end)), spoils, ask.now)
        columns = [
            [None if math.isnan(value) else value for value in getattr(path, name).tolist()] for name in _COLUMNS
        ]
        days = [str(day) for day in path.days.tolist()]
        rows = zip(days, *columns, strict=True)
        return _json([dict(zip(("date", *_COLUMNS), row, strict=True)) for row in rows])

    def refuse(self, ask: Ask, fault: Fault) -> Reply:
        """The feed's words for each fault."""
        if fault.kind is Kind.TOO_MANY_REQUESTS:
            return _json({"error": "too many requests"}, 429)
        if fault.kind is Kind.BAD_KEY:
            return _json({"error": "a valid key is required"}, 401)
        if fault.kind is Kind.UNKNOWN_SYMBOL:
            return _json({"error": "unknown symbol"}, 404)
        if fault.kind is Kind.EMPTY_RESULT:
            return _json([])
        return _json({"error": "internal error"}, 500)


def _or_null(values: np.ndarray) -> list[float | None]:
    return [None if math.isnan(value) else value for value in values.tolist()]


def _json(body: object, status: int = 200) -> Reply:
    return Reply(json.dumps(body).encode(), status=status)
