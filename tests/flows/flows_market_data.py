"""A folder of market files in the layout of the files vendor: small, seeded, complete."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from wealtharena.core.calendars import exchange_sessions

START, END = date(2020, 1, 2), date(2023, 6, 30)
AS_OF = date(2023, 6, 28)
"""Last day on which every class is complete: one stock's file ends two days before the others."""

SYMBOLS = {
    "stocks": ("BHP.AX", "CBA.AX", "CSL.AX"),
    "crypto": ("BTC-USD", "ETH-USD", "LTC-USD"),
    "etfs": ("GLD", "SPY", "TLT"),
    "forex": ("EURUSD=X", "GBPUSD=X", "USDJPY=X"),
    "reits": ("O", "PLD", "PSA"),
    "commodities": ("CL=F", "GC=F", "SI=F"),
}
EXCHANGES = {"stocks": "XASX", "crypto": "24/7", "forex": "24/5"}
SHORT_FILE = "CSL.AX"
PARQUET_FILE = "GLD"
BLANK_SERIES = "ICSA"

FILES_PROFILE = """
run: {history_start: 2020-01-02}
vendors: {source: files, files: {root: %s}}
"""


def write_market_data(root: Path) -> None:
    """Three symbols per class and four macro series; one file is Parquet, one series has no value at all."""
    random = np.random.default_rng(17)
    for folder, symbols in SYMBOLS.items():
        for symbol in symbols:
            last = AS_OF if symbol == SHORT_FILE else END
            bars = _walk(random, exchange_sessions(EXCHANGES.get(folder, "XNYS"), START, last), folder)
            _write(root / "market" / folder / symbol, bars, parquet=symbol == PARQUET_FILE)
    days = pd.bdate_range(START, END)
    for series, start, step in (("DGS10", 2.0, 0.03), ("DGS2", 1.5, 0.03), ("VIXCLS", 20.0, 0.5), (BLANK_SERIES, 0, 0)):
        values = start + np.cumsum(random.normal(0.0, step, len(days))) if step else np.full(len(days), np.nan)
        _write(root / "macro" / series, pd.DataFrame({"date": days, "value": np.round(values, 4)}), parquet=False)


def _walk(random: np.random.Generator, days: pd.DatetimeIndex, folder: str) -> pd.DataFrame:
    """Bars of a random walk, as a vendor prints them."""
    close = 50.0 * np.exp(np.cumsum(random.normal(0.0, 0.01, len(days))))
    open_ = close * np.exp(random.normal(0.0, 0.003, len(days)))
    spread = np.exp(np.abs(random.normal(0.0, 0.004, len(days))))
    prices = {
        "open": open_,
        "high": np.maximum(open_, close) * spread,
        "low": np.minimum(open_, close) / spread,
        "close": close,
    }
    volume = np.zeros(len(days)) if folder == "forex" else random.integers(100_000, 1_000_000, len(days))
    return pd.DataFrame({"date": days, **{name: values.round(4) for name, values in prices.items()}, "volume": volume})


def _write(path: Path, frame: pd.DataFrame, parquet: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if parquet:
        frame.to_parquet(path.with_name(f"{path.name}.parquet"), index=False)
    else:
        frame.to_csv(path.with_name(f"{path.name}.csv"), index=False, date_format="%Y-%m-%d")
