"""The full history of the real universe must be written and read in seconds."""

import time

import numpy as np
import pandas as pd
import pytest

from warehouse import Warehouse

SYMBOLS, SESSIONS, FEATURES = 91, 4_500, 20
LIMIT_SECONDS = 30.0


@pytest.mark.slow
def test_the_features_of_ninety_one_symbols_take_seconds(store: Warehouse) -> None:
    rng = np.random.default_rng(0)
    days = pd.date_range("2006-01-02", periods=SESSIONS, freq="B")
    symbols = [f"SYM{number:03d}.AX" for number in range(SYMBOLS)]
    index = pd.MultiIndex.from_product([symbols, days], names=["symbol", "session_date"])
    values = rng.normal(size=(len(index), FEATURES))
    frame = pd.DataFrame(values, index=index, columns=[f"feature_{number}" for number in range(FEATURES)]).reset_index()
    frame = frame.assign(observed=True, dollar_volume=1.0, volatility=0.1)
    began = time.perf_counter()
    ref = store.write("out_stocks__features", frame)
    assert store.write("out_stocks__features", frame) == ref
    read = store.read("out_stocks__features")
    took = time.perf_counter() - began
    assert len(read) == SYMBOLS * SESSIONS
    assert took < LIMIT_SECONDS
