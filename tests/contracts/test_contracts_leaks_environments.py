"""What an environment shows at a close is made of what was known at that close: the real pipeline, for every class.

Bars and macro figures go through ``compute_features`` (macro, carry and calendar on) and ``assemble_panel`` into
``TradingVectorEnv`` and ``run_policy``; cutting the future off, or making it another one, must change no bit up to the
cut.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

import numpy as np
import pandas as pd
import pytest
from synthetic_bars import PAIRS, RATES, SECTORS, coverage, paired_bars, synthetic_macro, synthetic_rates

from wealtharena.core import AssetClass
from wealtharena.core.panel import MarketPanel
from wealtharena.envs import EnvConfig, TradingVectorEnv, run_policy
from wealtharena.execution import TradingRules
from wealtharena.indicators import CALENDAR, compute_features
from wealtharena.markets import MARKETS, MarketSpec, assemble_panel
from wealtharena.settings import Settings

EVERY_MARKET = pytest.mark.parametrize("spec", MARKETS.values(), ids=[str(name) for name in MARKETS])
FIRST_ROW = 300
# Beside gaps (330, 331, 350 to 352), a bar without high (340), a negative close (355), and on plain days.
CUTS = (302, 331, 340, 351, 355, 370)
TRADING = TradingRules.from_settings(Settings(), "currencies")

Market = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]
Seen = list[np.ndarray]


def market(seed: int) -> Market:
    """Bars, macro observations and corporate actions."""
    bars = paired_bars(seed)
    macro = pd.concat([synthetic_macro(seed), synthetic_rates(seed)], ignore_index=True)
    # From the middle of the history on the bars need no adjustment any more.
    split_day = bars.loc[bars["adj_factor"] == 1.0, "session_date"].min()
    return bars, macro, pd.concat([_split(symbol, split_day, 2.0) for symbol in PAIRS.values()], ignore_index=True)


def known_at(data: Market, day: pd.Timestamp) -> Market:
    """What was known at the close of a day."""
    bars, macro, actions = data
    return bars[bars["session_date"] <= day], macro[macro["available_date"] < day], actions


def with_another_future(data: Market, day: pd.Timestamp) -> Market:
    """Other prices, volumes and figures after a day."""
    bars, macro, actions = data[0].copy(), data[1].copy(), data[2]
    rng = np.random.default_rng(0)
    later = bars["session_date"] > day
    for column in ("open", "high", "low", "close", "volume"):
        bars.loc[later, column] *= rng.uniform(0.2, 5.0, int(later.sum()))
    late = macro["available_date"] >= day
    macro.loc[late, "value"] += rng.normal(0.0, 5.0, int(late.sum()))
    return bars, macro, actions


def with_a_later_split(data: Market, day: pd.Timestamp) -> Market:
    """A split of one symbol after a day: all that lies before is adjusted anew."""
    bars, macro, actions = data[0].copy(), data[1], data[2]
    bars.loc[(bars["session_date"] <= day) & (bars["symbol"] == PAIRS["AAA"]), "adj_factor"] *= 0.25
    later_split = _split(PAIRS["AAA"], day + pd.Timedelta(days=1), 4.0)
    return bars, macro, pd.concat([actions, later_split], ignore_index=True)


def panel_of(spec: MarketSpec, data: Market) -> MarketPanel:
    """The panel as the pipeline makes it, with every optional input on."""
    bars, macro, _ = data
    sectors = {PAIRS[symbol]: sector for symbol, sector in SECTORS.items()}
    features = compute_features(bars, macro, (*spec.indicators, *CALENDAR), sectors=sectors, rates=RATES)
    return _assembled(spec, features, data)


def decided(observations: np.ndarray) -> np.ndarray:
    """Scores that follow from everything that is shown."""
    return np.tanh(observations.sum(axis=-1))


def shown_by_environment(panel: MarketPanel) -> Seen:
    """Observations after the closes from ``FIRST_ROW`` on."""
    config = EnvConfig(rules=TRADING, random_starts=False, episode_days=1_000)
    last_row = len(panel.dates) - 1
    environment = TradingVectorEnv(panel.rows(FIRST_ROW, last_row + 1), config, num_envs=2)
    shown = [environment.reset(seed=0)[0]]
    for _ in range(FIRST_ROW, last_row):
        shown.append(environment.step(decided(shown[-1]))[0])
    return shown


def shown_to_policy(panel: MarketPanel) -> Seen:
    """Observations after the closes from ``FIRST_ROW`` on, without the last one."""
    shown: Seen = []

    def act(observations: np.ndarray) -> np.ndarray:
        shown.append(observations.copy())
        return decided(observations)

    run_policy(act, panel, FIRST_ROW + 1, len(panel.dates) - 1, TRADING)
    return shown


def changed_cuts(
    make: Callable[[Market], MarketPanel], data: Market, change: Callable[..., Market], cuts: Iterable[int] = CUTS
) -> Iterator[int]:
    """Cuts up to which something that is shown changes with what comes after them."""
    whole = make(data)
    by_environment, to_policy = shown_by_environment(whole), shown_to_policy(whole)
    for cut in cuts:
        other = make(change(data, pd.Timestamp(whole.dates[cut]))).rows(0, cut + 1)
        assert other.feature_names == whole.feature_names
        same = _begins_with(by_environment, shown_by_environment(other)) and _begins_with(
            to_policy, shown_to_policy(other)
        )
        if not same:
            yield cut


@EVERY_MARKET
@pytest.mark.parametrize("change", [known_at, with_another_future], ids=lambda change: change.__name__)
def test_the_future_changes_no_observation(spec: MarketSpec, change: Callable[..., Market]) -> None:
    assert list(changed_cuts(partial(panel_of, spec), market(41), change)) == []


@EVERY_MARKET
def test_a_later_split_changes_no_observation(spec: MarketSpec) -> None:
    assert list(changed_cuts(partial(panel_of, spec), market(43), with_a_later_split, CUTS[::3])) == []


@EVERY_MARKET
def test_the_observations_hold_every_kind_of_input(spec: MarketSpec) -> None:
    panel = panel_of(spec, market(41))
    names = set(panel.feature_names)
    assert names >= {*spec.indicators, *CALENDAR, "macro_DGS10", "macro_FEDFUNDS"}
    assert not names & {"macro_ECBDFR", "macro_IR3AU"}
    late = panel.observed[FIRST_ROW:]
    assert late.mean() > 0.9
    assert panel.cash_rate is not None and panel.split is not None
    assert (panel.carry is not None) == (spec.asset_class in ("currencies", "commodities"))
    moving = panel.features[FIRST_ROW:][late].std(axis=0) > 0.0
    assert moving.all()


def _on_reference_date(spec: MarketSpec, data: Market) -> MarketPanel:
    bars, macro, actions = data
    return panel_of(spec, (bars, macro.assign(available_date=macro["reference_date"]), actions))


def _with_features_of_tomorrow(spec: MarketSpec, data: Market) -> MarketPanel:
    bars, macro, _ = data
    features = compute_features(bars, macro, spec.indicators, rates=RATES)
    ahead = features.groupby("symbol")[list(spec.indicators)].shift(-1, fill_value=0.0)
    return _assembled(spec, features.assign(**ahead), data)


LEAKS: dict[str, Callable[[MarketSpec, Market], MarketPanel]] = {
    "macro and rates on the reference date": _on_reference_date,
    "features of tomorrow": _with_features_of_tomorrow,
}


@pytest.mark.parametrize("asset_class", [AssetClass.STOCKS, AssetClass.CURRENCIES])
@pytest.mark.parametrize("leak", LEAKS.values(), ids=LEAKS)
def test_a_leak_in_the_pipeline_is_seen_in_the_observations(
    asset_class: AssetClass, leak: Callable[[MarketSpec, Market], MarketPanel]
) -> None:
    spec = MARKETS[asset_class]
    for change in (known_at, with_another_future):
        assert any(changed_cuts(partial(leak, spec), market(42), change))


def _begins_with(whole: Seen, start: Seen) -> bool:
    return all(np.array_equal(one, another) for one, another in zip(whole[: len(start)], start, strict=True))


def _assembled(spec: MarketSpec, features: pd.DataFrame, data: Market) -> MarketPanel:
    bars, macro, actions = data
    listed = coverage().assign(symbol=list(PAIRS.values()))
    exchanges = dict.fromkeys(PAIRS.values(), "XASX")
    return assemble_panel(
        spec.asset_class,
        features,
        bars,
        listed,
        Settings(),
        actions=actions,
        exchanges=exchanges,
        macro=macro,
        rates=RATES,
    )


def _split(symbol: str, day: pd.Timestamp, ratio: float) -> pd.DataFrame:
    return pd.DataFrame({"symbol": [symbol], "ex_date": [day], "kind": ["split"], "ratio": [ratio]})
