"""What every entry of MARKETS must obey."""

import numpy as np
import pandas as pd
import pytest
from synthetic_bars import SECTORS, coverage, synthetic_bars, synthetic_macro

from wealtharena.core import AssetClass
from wealtharena.indicators import CROSS_SECTIONS, INDICATORS, compute_features
from wealtharena.markets import MARKETS, MarketSpec, assemble_panel
from wealtharena.settings import Settings

EVERY_MARKET = pytest.mark.parametrize("spec", MARKETS.values(), ids=[str(name) for name in MARKETS])


def test_every_class_has_a_market_and_an_agent_of_its_own() -> None:
    assert list(MARKETS) == list(AssetClass)
    assert [spec.asset_class for spec in MARKETS.values()] == list(MARKETS)
    assert len({spec.agent for spec in MARKETS.values()}) == len(MARKETS)
    assert {spec.agent for spec in MARKETS.values()} <= set(Settings().agents)


@EVERY_MARKET
def test_indicators_are_known_distinct_and_fit_the_class(spec: MarketSpec) -> None:
    assert len(set(spec.indicators)) == len(spec.indicators)
    for name in spec.indicators:
        base = CROSS_SECTIONS[name].base if name in CROSS_SECTIONS else name
        assert base in INDICATORS
        assert spec.has_volume or "traded_value" not in INDICATORS[base].inputs


@EVERY_MARKET
def test_features_are_finite_float32_and_zero_where_not_observed(spec: MarketSpec) -> None:
    features = compute_features(synthetic_bars(21), synthetic_macro(21), spec.indicators, sectors=SECTORS)
    names = [*spec.indicators, "macro_DGS10", "macro_UNRATE"]
    values = features[names].to_numpy()

    assert values.dtype == np.float32
    assert np.isfinite(values).all()
    assert features["observed"].sum() > 200
    assert (values[~features["observed"].to_numpy()] == 0.0).all()


@EVERY_MARKET
def test_the_future_changes_no_feature(spec: MarketSpec) -> None:
    bars, macro = synthetic_bars(22), synthetic_macro(22)
    dates = np.sort(bars["session_date"].unique())
    whole = compute_features(bars, macro, spec.indicators, sectors=SECTORS)
    rng = np.random.default_rng(0)

    for cut in (300, 331, 344, 351, 355, 370):
        later = bars["session_date"] > dates[cut]
        scrambled = bars.copy()
        for column in ("open", "high", "low", "close", "volume"):
            scrambled.loc[later, column] *= rng.uniform(0.2, 5.0, int(later.sum()))
        news = macro.copy()
        late = macro["available_date"] >= dates[cut]
        news.loc[late, "value"] += rng.normal(0, 5, int(late.sum()))
        part = compute_features(scrambled, news, spec.indicators, sectors=SECTORS)
        past = (whole["session_date"] <= dates[cut]).to_numpy()
        pd.testing.assert_frame_equal(part[past], whole[past], check_exact=True)


@EVERY_MARKET
def test_a_later_split_changes_no_feature(spec: MarketSpec) -> None:
    bars = synthetic_bars(23)
    split = bars.copy()
    split.loc[split["symbol"] == "AAA", "adj_factor"] *= 0.25
    reweighted = bars.copy()
    reweighted.loc[reweighted["symbol"] == "BBB", "adj_factor"] *= 0.9371

    expected = compute_features(bars, None, spec.indicators, sectors=SECTORS)

    pd.testing.assert_frame_equal(
        compute_features(split, None, spec.indicators, sectors=SECTORS), expected, check_exact=True
    )
    pd.testing.assert_frame_equal(
        compute_features(reweighted, None, spec.indicators, sectors=SECTORS), expected, rtol=1e-5, atol=1e-6
    )


@EVERY_MARKET
def test_a_panel_of_the_past_is_the_past_of_the_panel(spec: MarketSpec) -> None:
    bars = synthetic_bars(24)
    dates = np.sort(bars["session_date"].unique())

    def panel_until(last: np.datetime64):  # type: ignore[no-untyped-def]
        known = bars[bars["session_date"] <= last]
        features = compute_features(known, None, spec.indicators, sectors=SECTORS)
        return assemble_panel(spec.asset_class, features, known, coverage(), Settings())

    whole = panel_until(dates[-1])
    for cut in (200, 331, 346, 352, 355):
        assert panel_until(dates[cut]).content_hash == whole.rows(0, cut + 1).content_hash


@EVERY_MARKET
def test_panel_obeys_its_contract(spec: MarketSpec) -> None:
    bars = synthetic_bars(25)
    features = compute_features(bars, None, spec.indicators, sectors=SECTORS)
    panel = assemble_panel(spec.asset_class, features, bars, coverage({"DDD": "2030-01-01"}), Settings())

    assert (np.diff(panel.dates.astype(np.int64)) > 0).all()
    assert list(panel.symbols) == sorted(SECTORS)
    assert panel.feature_names == spec.indicators
    assert panel.features.dtype == np.float32
    assert np.isfinite(panel.features).all()
    assert (panel.features[~panel.observed] == 0.0).all()
    assert not (panel.tradable & ~(panel.open > 0.0)).any()
    assert np.isnan(panel.dollar_volume).all() != spec.has_volume
    assert panel.delisted.sum() == 0
    cost = Settings().costs[spec.asset_class]
    assert panel.costs.commission == pytest.approx([cost.commission_bps / 1e4] * 5)
    assert panel.costs.half_spread == pytest.approx([cost.half_spread_bps / 1e4] * 5)
