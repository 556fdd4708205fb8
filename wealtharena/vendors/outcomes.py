"""How a night's collection ended for each symbol, over all the vendors that were asked about it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.errors import DataWindowError
from wealtharena.core.market_data import ALL_QUARANTINED, FetchResult, Outcome

OUTCOME_COLUMNS = ("symbol", "vendor", "outcome", "reason", "rows", "first_date", "last_date")
DELIVERED = (Outcome.ROWS, Outcome.EMPTY)
"""Outcomes by which a symbol is up to date."""
MAX_REASONS = 5


class Standing(NamedTuple):
    """What a vendor told of a symbol before, where nothing of it had to be asked tonight."""

    outcome: Outcome
    reason: str


Answers = Mapping[str, Sequence[tuple[str, FetchResult | Standing]]]


def standing_answers(good: pd.DataFrame, symbols: Sequence[str], night_id: str) -> dict[str, Standing]:
    """How those of the symbols stand that a vendor answered before.

    The last answer stands as it was if it is of this night, or if the vendor never had rows; else the vendor has rows.

    Args:
        good: ledger rows of the vendor's answers that it stood by.
    """
    found = {}
    for symbol, own in good[good["symbol"].isin(symbols)].sort_values("known_at").groupby("symbol"):
        last = own.iloc[-1]
        is_last_word = last["night"] == night_id or not (own["outcome"] == str(Outcome.ROWS)).any()
        told = Standing(Outcome(last["outcome"]), str(last["reason"]))
        found[str(symbol)] = told if is_last_word else Standing(Outcome.ROWS, "")
    return found


def final_outcomes(answers: Answers, known: pd.DataFrame, date_column: str, nobody: str) -> pd.DataFrame:
    """One row per symbol, ``OUTCOME_COLUMNS``, in order of the symbols.

    The answer of the last vendor that delivered stands. Where none did, the first vendor's outcome stands with the
    reasons of all. A symbol about which nobody could be asked has the rows that are known of it.

    Args:
        answers: per symbol, in order, the vendors that were asked tonight with their answers, and those that are up to
            date with what they told before.
        known: ``symbol``, ``vendor`` and ``date_column`` of every row that the night knows, for counts and dates.
        nobody: why nobody could be asked, for symbols without answer and without rows.
    """
    spans = {str(symbol): rows for symbol, rows in known.groupby("symbol", sort=False)}
    rows = []
    for symbol in sorted(answers):
        own = spans.get(symbol)
        vendor, outcome, reason = _ending(answers[symbol], own, nobody)
        days = None if own is None else own[date_column]
        first, last = (None, None) if days is None else (days.min(), days.max())
        rows.append((symbol, vendor, str(outcome), reason, 0 if own is None else len(own), first, last))
    dates = dict.fromkeys(("first_date", "last_date"), "datetime64[us]")
    return pd.DataFrame(rows, columns=list(OUTCOME_COLUMNS)).astype({**dates, "rows": "int64"})


def missing_symbols(outcomes: pd.DataFrame, curated: Sequence[str]) -> dict[str, str]:
    """Reason per symbol that was asked for and is not among those with ``curated`` rows."""
    present = set(curated)
    return {
        str(symbol): str(reason) or ALL_QUARANTINED
        for symbol, reason in zip(outcomes["symbol"], outcomes["reason"], strict=True)
        if symbol not in present
    }


def undelivered_symbols(outcomes: pd.DataFrame) -> dict[str, str]:
    """Reason per symbol that no vendor brought up to date tonight, whether older rows of it are stored or not."""
    failed = outcomes[~outcomes["outcome"].isin([str(outcome) for outcome in DELIVERED])]
    return {str(symbol): str(reason) for symbol, reason in zip(failed["symbol"], failed["reason"], strict=True)}


def rejected_symbols(outcomes: pd.DataFrame) -> tuple[str, ...]:
    """Symbols whose input a person should mend, each with the reason."""
    rejected = outcomes[outcomes["outcome"] == str(Outcome.REJECTED)]
    return tuple(f"{symbol}: {reason}" for symbol, reason in zip(rejected["symbol"], rejected["reason"], strict=True))


def unreadable_cells(refused: pd.DataFrame) -> tuple[str, ...]:
    """Per symbol the first cell that is no number, and how many more there are."""
    texts = []
    cells = refused[refused["rule"] == "not_a_number"]
    for symbol, reasons in cells.groupby("symbol", sort=True)["reason"]:
        more = f", and {len(reasons) - 1} more like it" if len(reasons) > 1 else ""
        texts.append(f"{symbol}: {reasons.iloc[0]}{more}")
    return tuple(texts)


def require_coverage(asset_class: AssetClass, asked: int, missing: Mapping[str, str], min_coverage: float) -> None:
    """Raises a DataWindowError that names the missing symbols if too few of a class have data."""
    share = 1.0 - len(missing) / asked if asked else 0.0
    if share < min_coverage:
        # Where nothing came, one reason as a rule is the reason of all.
        shown = MAX_REASONS if share else 1
        reasons = "; ".join(f"{symbol}: {reason}" for symbol, reason in list(missing.items())[:shown])
        more = f" and {len(missing) - shown} more" if len(missing) > shown else ""
        raise DataWindowError(
            f"{asset_class}: vendors.min_coverage asks for {min_coverage:.0%} of {asked} symbols, got {share:.0%} "
            f"({reasons or 'the source has no symbol of this class'}{more})"
        )


def _ending(
    answers: Sequence[tuple[str, FetchResult | Standing]], known: pd.DataFrame | None, nobody: str
) -> tuple[str, Outcome, str]:
    if not answers:
        if known is None:
            return "", Outcome.VENDOR_FAILURE, nobody
        return str(known["vendor"].iloc[-1]), Outcome.ROWS, ""
    delivered = [(name, result) for name, result in answers if result.outcome is Outcome.ROWS]
    if delivered:
        return delivered[0][0], Outcome.ROWS, ""
    name, first = answers[0]
    if len(answers) == 1:
        return name, first.outcome, first.reason
    return name, first.outcome, "; ".join(_told(vendor, result.reason) for vendor, result in answers)


def _told(vendor: str, reason: str) -> str:
    """A reason and whose it is; some name the vendor themselves."""
    return reason if reason.startswith(f"{vendor}: ") else f"{vendor}: {reason}"
