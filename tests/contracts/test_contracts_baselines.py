"""What every baseline promises, whichever it is: limits, nothing from the future, gaps and shorts."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wealtharena.core.panel import AssetCosts, FloatArray, MarketPanel
from wealtharena.evaluation.baselines import BASELINES, GENERAL, baselines_of
from wealtharena.evaluation.baselines.carry import FEATURE
from wealtharena.execution import TradingRules
from wealtharena.markets import MARKETS, MarketSpec

ALL = pytest.mark.parametrize("name", BASELINES)
RULES = TradingRules.unlimited()
SESSIONS, ASSETS = 330, 5
LIMIT = st.one_of(st.just(0.0), st.floats(0.01, 1.0))


def market(seed: int, gaps: float = 0.2, sessions: int = SESSIONS, annualisation: int = 252) -> MarketPanel:
    """Random walks with missing bars, splits, dividends, foreign holidays and carry; one asset starts late."""
    generator = np.random.default_rng(seed)
    shape = (sessions, ASSETS)
    close = 100.0 * np.exp(np.cumsum(generator.normal(0.0, 0.02, shape), axis=0))
    close[generator.random(shape) < gaps] = np.nan
    close[: sessions // 3, -1] = np.nan
    bars = ~np.isnan(close)
    carry = generator.normal(size=shape).round(1).astype(np.float32)
    observed = bars | (generator.random(shape) < 0.5)
    return MarketPanel(
        dates=np.datetime64("2020-01-01", "D") + np.arange(sessions),
        symbols=tuple(f"A{index}" for index in range(ASSETS)),
        feature_names=("return_1", "carry"),
        features=np.where(observed[:, :, None], np.stack([carry * 0, carry], axis=2), np.float32(0.0)),
        open=close,
        close=close,
        tradable=bars,
        observed=observed,
        delisted=np.zeros(shape, dtype=bool),
        dollar_volume=np.full(shape, np.nan),
        volatility=np.full(shape, 0.02),
        costs=AssetCosts.flat(ASSETS, 0.0),
        annualisation=annualisation,
        split=np.where(generator.random(shape) < 0.02, 2.0, 1.0),
        dividend=np.where(generator.random(shape) < 0.02, 1.0, 0.0),
    )


def exposures(weights: FloatArray) -> tuple[float, float, float]:
    """Largest position, gross and net exposure of any session."""
    gross, net = np.abs(weights).sum(axis=1), np.abs(weights.sum(axis=1))
    return float(np.abs(weights).max()), float(gross.max()), float(net.max())


@ALL
def test_no_baseline_sees_the_future(name: str) -> None:
    """Cut at every other row: with missing bars, a back-fill shows only where the cut lies in a gap."""
    panel = market(1)
    whole = BASELINES[name](panel, RULES)
    for cut in range(1, SESSIONS + 1, 2):
        assert np.array_equal(BASELINES[name](panel.rows(0, cut), RULES), whole[:cut]), cut


@ALL
def test_scrambling_the_future_changes_no_past_weight(name: str) -> None:
    panel, other = market(2), market(3)
    known = np.arange(SESSIONS) < 290
    scrambled = replace(
        panel,
        **{
            field: np.where(known.reshape(-1, *[1] * (getattr(panel, field).ndim - 1)), getattr(panel, field), values)
            for field in ("features", "open", "close", "tradable", "observed", "split", "dividend")
            for values in [getattr(other, field)]
        },
    )
    before, after = (BASELINES[name](data, RULES) for data in (panel, scrambled))
    assert np.array_equal(before[:290], after[:290])
    assert name in ("cash",) or not np.array_equal(before[290:], after[290:])


@ALL
@settings(max_examples=25)
@given(
    seed=st.integers(0, 50),
    gaps=st.floats(0.0, 0.9),
    max_weight=LIMIT,
    max_gross=LIMIT,
    max_net=st.one_of(st.none(), LIMIT),
    effective=st.floats(1.0, 5.0),
    long_only=st.booleans(),
    annualisation=st.sampled_from([252, 365]),
)
def test_limits_hold_and_gaps_do_no_harm(
    name: str,
    seed: int,
    gaps: float,
    max_weight: float,
    max_gross: float,
    max_net: float | None,
    effective: float,
    long_only: bool,
    annualisation: int,
) -> None:
    panel = market(seed, gaps, annualisation=annualisation, sessions=400)
    rules = replace(
        RULES,
        max_weight=max_weight,
        max_gross=max_gross,
        max_net=max_net,
        min_effective_positions=effective,
        long_only=long_only,
    )
    weights = BASELINES[name](panel, rules)
    position, gross, net = exposures(weights)
    assert weights.shape == panel.observed.shape
    assert np.isfinite(weights).all()
    assert not weights[~panel.observed].any()
    assert position <= max_weight + 1e-9
    assert gross <= max_gross + 1e-9
    assert max_net is None or net <= max_net + 1e-9
    assert (weights**2).sum(axis=1).max() <= max_gross**2 / effective + 1e-9
    assert not long_only or weights.min() >= 0.0


@ALL
def test_a_baseline_depends_on_nothing_but_its_panel_and_rules(name: str) -> None:
    panel = market(4)
    assert np.array_equal(BASELINES[name](panel, RULES), BASELINES[name](panel, RULES))


@ALL
def test_the_order_of_the_assets_does_not_matter(name: str) -> None:
    panel = market(5)
    turned = panel.select(tuple(reversed(panel.symbols)))
    assert BASELINES[name](turned, RULES)[:, ::-1] == pytest.approx(BASELINES[name](panel, RULES), abs=1e-9)


@ALL
def test_a_market_without_a_past_is_no_error(name: str) -> None:
    weights = BASELINES[name](market(6).rows(0, 1), RULES)
    assert weights.shape == (1, ASSETS)
    assert np.isfinite(weights).all()


@ALL
def test_every_rule_but_cash_trades_where_it_knows_enough(name: str) -> None:
    weights = BASELINES[name](market(7, gaps=0.05), RULES)[260:]
    assert bool(weights.any()) == (name != "cash")


@pytest.mark.parametrize("spec", MARKETS.values(), ids=MARKETS.keys())
def test_every_class_names_a_rule_of_its_own(spec: MarketSpec) -> None:
    assert spec.rule in BASELINES
    assert spec.rule not in GENERAL
    assert baselines_of(spec.asset_class) == (*GENERAL, spec.rule)


def test_the_carry_rule_reads_a_feature_that_its_class_has() -> None:
    assert all(FEATURE in spec.indicators for spec in MARKETS.values() if spec.rule == "carry")
