"""What a stage hands to the next one: small references, never data."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TableRef:
    """A version of a warehouse table.

    Attributes:
        name: table name, ``{layer}_{subject}__{what}``.
        version: Delta version that holds the rows.
        partition: value of the table's partition column, ``""`` for the whole table.
        rows: number of rows that the reference stands for.
        content_hash: SHA-256 over the rows in key order, without bookkeeping columns; equal content, equal hash.
    """

    name: str
    version: int
    partition: str
    rows: int
    content_hash: str


@dataclass(frozen=True, slots=True)
class CheckpointRef:
    """A trained policy on disk (a model bundle, see ``wealtharena.serving.bundle``).

    Attributes:
        uri: folder of the bundle.
        settings_hash: hash of the settings that produced it.
        data_version: content hash of the panel that it was trained on.
        bundle_hash: SHA-256 over the bundle's manifest, which holds the hash of every file.
    """

    uri: str
    settings_hash: str
    data_version: str
    bundle_hash: str
