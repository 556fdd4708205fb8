"""Finished work is found again by what went into it: same inputs, no second run."""

import json
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import pyarrow as pa
from pydantic import TypeAdapter

from tasks.night import Night
from wealtharena import __version__
from wealtharena.core.errors import PipelineError
from wealtharena.core.hashing import hash_json

TABLE = "out_runs__receipts"
DONE, FAILED = "done", "failed"

_DAY = len("2026-01-09")  # a night's id begins with it

logger = logging.getLogger(__name__)
Receipt = TypeVar("Receipt")

# Building one takes longer than a hundred uses of it.
_adapters: dict[object, TypeAdapter[Any]] = {}


def once(
    night: Night,
    stage: str,
    item: str,
    inputs: Mapping[str, Any],
    compute: Callable[[], Receipt],
    receipt_type: type[Receipt],
    is_intact: Callable[[Receipt], bool] = lambda _: True,
) -> Receipt:
    """The receipt of a stage: the stored one if the same inputs were worked on before, else that of ``compute``.

    Args:
        night: the night that asks; a receipt of another night with equal inputs is taken over.
        stage: name of the stage.
        item: agent or asset class.
        inputs: everything that the result depends on, JSON-able.
        compute: does the work; called at most once.
        receipt_type: dataclass of the receipt.
        is_intact: whether what a stored receipt points to is still there and unaltered.
    """
    inputs_hash = hash_json([__version__, stage, item, inputs])
    stored = None if night.force else _find(night, {"stage": stage, "item": item, "inputs_hash": inputs_hash})
    receipt = None if stored is None else _adapter(receipt_type).validate_json(stored)
    if receipt is not None and is_intact(receipt):
        logger.info("%s of %s was finished before with the same inputs: nothing to do", stage, item)
    else:
        receipt = compute()
    record(night, stage, item, receipt, receipt_type, inputs_hash)
    return receipt


def record(
    night: Night, stage: str, item: str, receipt: Receipt, receipt_type: type[Receipt], inputs_hash: str = ""
) -> None:
    """Keeps the receipt of finished work; without ``inputs_hash`` it is never taken over by another run."""
    text = json.dumps(_adapter(receipt_type).dump_python(receipt, mode="json"), sort_keys=True)
    _store(night, stage, item, DONE, inputs_hash, text, "")


def finished(night: Night, stage: str, receipt_type: type[Receipt]) -> dict[str, Receipt]:
    """Receipts of a stage in this night, by item.

    Raises:
        PipelineError: the stage has not finished anything in this night.
    """
    receipts = finished_or_empty(night, stage, receipt_type)
    if not receipts:
        raise PipelineError(
            f"night {night.night_id} has no finished stage {stage!r}: run `wealtharena {stage}` (or `nightly`) first"
        )
    return receipts


def finished_or_empty(night: Night, stage: str, receipt_type: type[Receipt]) -> dict[str, Receipt]:
    """As ``finished``, but a stage that finished nothing gives no receipts."""
    rows = _rows(night, {"night": night.night_id, "stage": stage, "status": DONE})
    return {row["item"]: _adapter(receipt_type).validate_json(row["receipt"]) for row in rows}


def finished_up_to(night: Night, stage: str, item: str, receipt_type: type[Receipt]) -> list[Receipt]:
    """Receipts of one item in this night and in those of earlier days, whatever their settings; the newest last."""
    rows = _rows(night, {"stage": stage, "item": item, "status": DONE})
    known = [row for row in rows if row["night"][:_DAY] <= night.as_of.isoformat()]
    ordered = sorted(known, key=lambda row: (row["night"][:_DAY], row["finished_at"]))
    return [_adapter(receipt_type).validate_json(row["receipt"]) for row in ordered]


def record_failure(night: Night, stage: str, item: str, message: str) -> None:
    """Keeps why an item of a stage could not be finished."""
    _store(night, stage, item, FAILED, "", "", message)


def failures(night: Night) -> dict[tuple[str, str], str]:
    """Reason per stage and item that failed in this night and was not finished since."""
    rows = _rows(night, {"night": night.night_id, "status": FAILED})
    return {(row["stage"], row["item"]): row["message"] for row in rows}


def _adapter(receipt_type: type[Receipt]) -> TypeAdapter[Receipt]:
    if receipt_type not in _adapters:
        _adapters[receipt_type] = TypeAdapter(receipt_type)
    return _adapters[receipt_type]


def _find(night: Night, where: Mapping[str, str]) -> str | None:
    """The latest receipt: what was repeated or mended stands for what was there before."""
    rows = _rows(night, {**where, "status": DONE})
    return max(rows, key=lambda row: row["finished_at"])["receipt"] if rows else None


def _rows(night: Night, where: Mapping[str, str]) -> list[dict[str, str]]:
    rows = night.warehouse.read_or_empty(TABLE, where=where).to_dict("records")
    return [{str(name): str(value) for name, value in row.items()} for row in rows]


def _store(night: Night, stage: str, item: str, status: str, inputs_hash: str, receipt: str, message: str) -> None:
    row = {
        "night": night.night_id,
        "stage": stage,
        "item": item,
        "status": status,
        "inputs_hash": inputs_hash,
        "receipt": receipt,
        "message": message,
        "run_id": night.run_id,
        "finished_at": datetime.now(UTC),
    }
    night.warehouse.write(TABLE, pa.Table.from_pylist([row]))
