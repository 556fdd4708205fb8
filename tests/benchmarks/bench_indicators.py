"""Speed and memory of features: ``python tests/benchmarks/bench_indicators.py [--symbols 500] [--days 5000]``.

Thirty of our indicators by ``compute_features``, from the table of bars to the table of features (units, guard against
missing values, clipping, keys and result table included), against a bare loop over the nearest TA-Lib calls, one or two
for each indicator, on float64 arrays that lie ready, with results thrown away. Both run in turns in one process;
reported are medians over rounds, their ratio and that of the fastest rounds (which other work on the machine disturbs
least), and the peak memory of a process of its own for each side. Freed memory stays with the process, since getting
300 MB for the result anew from the kernel, or in a virtual machine from its host, takes longer than the arithmetic in
some places; ``our_first_seconds`` has that once.
"""

import argparse
import ctypes
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
import talib

from wealtharena.indicators import compute_features

Arrays = dict[str, np.ndarray]

# Left out of INDICATORS: what has no near call (skew_63, overnight_gap, range_volatility_21) and second uses of one.
BARE_CALLS: dict[str, Callable[[Arrays], object]] = {
    "return_1": lambda a: talib.ROC(a["close"], 1),
    "return_5": lambda a: talib.ROC(a["close"], 5),
    "return_21": lambda a: talib.ROC(a["close"], 21),
    "return_63": lambda a: talib.ROC(a["close"], 63),
    "return_126": lambda a: talib.ROC(a["close"], 126),
    "momentum_12_1": lambda a: talib.ROC(a["close"], 231),
    "efficiency_21": lambda a: talib.KAMA(a["close"], 21),
    "distance_ma_20": lambda a: talib.SMA(a["close"], 20),
    "distance_ma_50": lambda a: talib.SMA(a["close"], 50),
    "distance_ma_200": lambda a: talib.SMA(a["close"], 200),
    "macd_line": lambda a: talib.MACD(a["close"], 12, 26, 9),
    "macd_histogram": lambda a: talib.MACD(a["close"], 12, 26, 9),
    "adx_14": lambda a: talib.ADX(a["high"], a["low"], a["close"], 14),
    "directional_14": lambda a: (
        talib.PLUS_DI(a["high"], a["low"], a["close"], 14),
        talib.MINUS_DI(a["high"], a["low"], a["close"], 14),
    ),
    "aroon_25": lambda a: talib.AROONOSC(a["high"], a["low"], 25),
    "drawdown_252": lambda a: talib.MAX(a["close"], 252),
    "autocorrelation_63": lambda a: talib.CORREL(a["close"], a["open"], 63),
    "rsi_14": lambda a: talib.RSI(a["close"], 14),
    "rsi_2": lambda a: talib.RSI(a["close"], 2),
    "stochastic_14": lambda a: talib.STOCH(a["high"], a["low"], a["close"], 14, 3, 0, 3, 0),
    "cci_20": lambda a: talib.CCI(a["high"], a["low"], a["close"], 20),
    "bollinger_20": lambda a: talib.BBANDS(a["close"], 20),
    "close_location_5": lambda a: talib.ADOSC(a["high"], a["low"], a["close"], a["volume"], 3, 10),
    "volatility_21": lambda a: talib.STDDEV(a["close"], 21),
    "volatility_ratio_21_63": lambda a: talib.STDDEV(a["close"], 63),
    "atr_ratio_14_126": lambda a: talib.ATR(a["high"], a["low"], a["close"], 14),
    "downside_63": lambda a: talib.CMO(a["close"], 63),
    "volume_z_63": lambda a: talib.STDDEV(a["volume"], 63),
    "volume_trend_5_63": lambda a: talib.SMA(a["volume"], 63),
    "obv_21": lambda a: talib.OBV(a["close"], a["volume"]),
}


def market(symbols: int, days: int) -> pd.DataFrame:
    """Core bars of random walks, sorted as the core tables are."""
    rng = np.random.default_rng(0)
    shape = (symbols, days)
    close = 50.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, shape), axis=1))
    opened = close * np.exp(rng.normal(0.0, 0.003, shape))
    names = np.repeat([f"S{place:04d}" for place in range(symbols)], days)
    dates = pd.bdate_range("2000-01-03", periods=days).as_unit("us").to_numpy()
    return pd.DataFrame(
        {
            "symbol": pd.array(names, dtype="str"),
            "session_date": np.tile(dates, symbols),
            "open": opened.ravel(),
            "high": (np.maximum(opened, close) * np.exp(rng.uniform(0.0, 0.005, shape))).ravel(),
            "low": (np.minimum(opened, close) * np.exp(-rng.uniform(0.0, 0.005, shape))).ravel(),
            "close": close.ravel(),
            "volume": np.round(np.exp(13.0 + 0.4 * rng.normal(0.0, 1.0, shape))).ravel(),
            "adj_factor": 1.0,
        }
    )


def by_compute_features(bars: pd.DataFrame) -> pd.DataFrame:
    """Our side."""
    return compute_features(bars, None, list(BARE_CALLS))


def by_bare_calls(arrays: list[Arrays]) -> None:
    """The other side."""
    for own in arrays:
        for call in BARE_CALLS.values():
            call(own)


def ready_arrays(bars: pd.DataFrame, symbols: int) -> list[Arrays]:
    """Contiguous float64 arrays per symbol."""
    parts = [np.split(bars[name].to_numpy(np.float64), symbols) for name in ("open", "high", "low", "close", "volume")]
    return [dict(zip(("open", "high", "low", "close", "volume"), own, strict=True)) for own in zip(*parts, strict=True)]


def compare(symbols: int, days: int, rounds: int) -> dict[str, float]:
    """Seconds of both sides, in turns."""
    _keep_freed_memory()
    bars = market(symbols, days)
    arrays = ready_arrays(bars, symbols)
    by_compute_features(bars.iloc[:days])  # loads what is compiled
    first = _seconds(lambda: by_compute_features(bars))
    ours, bare = [], []
    for _ in range(rounds):
        bare.append(_seconds(lambda: by_bare_calls(arrays)))
        ours.append(_seconds(lambda: by_compute_features(bars)))
    return {
        "symbols": symbols,
        "days": days,
        "indicators": len(BARE_CALLS),
        "bare_seconds": round(median(bare), 3),
        "our_seconds": round(median(ours), 3),
        "our_first_seconds": round(first, 3),
        "ratio": round(median(ours) / median(bare), 2),
        "ratio_of_fastest": round(min(ours) / min(bare), 2),
    }


def peak_mib(side: str, symbols: int, days: int) -> float:
    """MiB that a side needs at its peak beyond the bars that lie ready; runs in a process of its own."""
    bars = market(symbols, days)
    arrays = ready_arrays(bars, symbols)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak starts anew from here
    before = _memory_mib("VmRSS")
    by_compute_features(bars) if side == "ours" else by_bare_calls(arrays)
    return round(_memory_mib("VmHWM") - before, 1)


def peak_in_new_process(side: str, symbols: int, days: int) -> float:
    """The same in a fresh interpreter."""
    command = [sys.executable, __file__, "--symbols", str(symbols), "--days", str(days), "--peak-of", side]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _keep_freed_memory() -> None:
    mmap_threshold, trim_threshold = -3, -1
    for option in (mmap_threshold, trim_threshold):
        ctypes.CDLL(None).mallopt(option, 2**31 - 1)


def _memory_mib(entry: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{entry}:"))


def _seconds(act: Callable[[], object]) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--symbols", type=int, default=500)
    parser.add_argument("--days", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peak-of", choices=["ours", "bare"], help="only this side's memory, in this process")
    chosen = parser.parse_args()
    if chosen.peak_of:
        sys.stdout.write(str(peak_mib(chosen.peak_of, chosen.symbols, chosen.days)))
    else:
        figures = compare(chosen.symbols, chosen.days, chosen.rounds)
        for name in ("bare", "ours"):
            figures[f"{name}_peak_mib"] = peak_in_new_process(name, chosen.symbols, chosen.days)
        sys.stdout.write(json.dumps(figures) + "\n")
