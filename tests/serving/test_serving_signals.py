from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from serving_models import FEATURES, RULES, baseline_card, make_panel, policy_card, write_linear_network

from wealtharena.core.errors import DataWindowError, ExecutionError, ModelIntegrityError
from wealtharena.envs import run_policy
from wealtharena.evaluation.baselines import BASELINES
from wealtharena.execution import target_weights
from wealtharena.serving.model import ServedModel, load_model
from wealtharena.serving.signals import Holdings, make_signals, target_weights_for_next_session


@pytest.fixture
def model(bundle: Path) -> ServedModel:
    return load_model(bundle)


def stateful_model(folder: Path, make_bundle: Callable[..., Path], training_output: Path) -> ServedModel:
    """A policy that also looks at its position, gross exposure and drawdown."""
    write_linear_network(training_output / "policy.onnx", [0.7, -0.4, 0.2, -0.8, 0.1, 0.5, 2.0])
    return load_model(make_bundle(folder))


def test_scores_of_the_last_session_become_weights_within_the_limits(model: ServedModel) -> None:
    panel = make_panel()
    scores = np.tanh(panel.features[-1, :, 0].astype(np.float64)) * panel.observed[-1]
    expected = target_weights(scores[None], panel.observed[-1:], RULES)[0]
    weights = target_weights_for_next_session(model, panel)
    np.testing.assert_allclose(weights, expected, atol=1e-6)
    assert weights[2] == 0.0
    assert np.all(weights >= 0.0)
    assert 0.0 < weights.sum() <= 1.0


def test_a_signal_is_what_the_backtest_trades_at_the_next_open(
    tmp_path: Path, make_bundle: Callable[..., Path], training_output: Path
) -> None:
    model = stateful_model(tmp_path / "m", make_bundle, training_output)
    panel = make_panel(sessions=60, symbols=("AAA", "BBB", "DDD"))
    assert model.policy is not None
    path = run_policy(model.policy.act, panel, 1, 59, RULES)
    for row in (20, 40, 59):
        drawdown = path.equity[row - 2] / max(1.0, path.equity[: row - 1].max()) - 1.0
        known = panel.rows(0, row)
        weights = target_weights_for_next_session(model, known, Holdings(path.weights[row - 2], drawdown))
        np.testing.assert_allclose(weights, path.targets[row - 1], atol=1e-6)


def test_holdings_change_what_a_policy_wants(
    tmp_path: Path, make_bundle: Callable[..., Path], training_output: Path
) -> None:
    model = stateful_model(tmp_path / "m", make_bundle, training_output)
    panel = make_panel()
    flat = target_weights_for_next_session(model, panel)
    assert np.array_equal(flat, target_weights_for_next_session(model, panel, Holdings(np.zeros(3))))
    assert not np.allclose(flat, target_weights_for_next_session(model, panel, Holdings(np.array([0.5, 0.0, 0.0]))))
    assert not np.allclose(flat, target_weights_for_next_session(model, panel, Holdings(np.zeros(3), drawdown=-0.2)))


def test_nothing_but_the_last_session_matters_to_a_policy(model: ServedModel) -> None:
    panel = make_panel()
    assert np.array_equal(
        target_weights_for_next_session(model, panel), target_weights_for_next_session(model, panel.rows(39, 40))
    )


def test_each_symbol_keeps_its_weight_when_symbols_change_places(model: ServedModel) -> None:
    panel = make_panel()
    turned = panel.select(("CCC", "AAA", "BBB"))
    weights = dict(zip(panel.symbols, target_weights_for_next_session(model, panel), strict=True))
    again = dict(zip(turned.symbols, target_weights_for_next_session(model, turned), strict=True))
    assert weights == pytest.approx(again)


def test_features_are_found_by_name(model: ServedModel) -> None:
    panel = make_panel()
    order = [2, 0, 1]
    extra = np.ones((*panel.features.shape[:2], 1), dtype=np.float32)
    shuffled = replace(
        panel,
        feature_names=(*(FEATURES[i] for i in order), "unknown_to_the_model"),
        features=np.concatenate([panel.features[:, :, order], extra], axis=2),
    )
    assert np.array_equal(
        target_weights_for_next_session(model, shuffled), target_weights_for_next_session(model, panel)
    )


def test_a_missing_feature_is_named(model: ServedModel) -> None:
    panel = make_panel()
    poorer = replace(panel, feature_names=FEATURES[:2], features=panel.features[:, :, :2])
    with pytest.raises(ModelIntegrityError, match=r"stocks night-1 \(PPO\) observes features that the data lack: rsi"):
        target_weights_for_next_session(model, poorer)


@pytest.mark.parametrize("name", sorted(BASELINES))
def test_a_baseline_in_service_gives_its_own_targets(
    tmp_path: Path, make_bundle: Callable[..., Path], name: str
) -> None:
    model = load_model(make_bundle(tmp_path / "b", baseline_card(baseline=name)))
    panel = make_panel(sessions=300)
    expected = BASELINES[name](panel, RULES)[-1]
    assert np.array_equal(target_weights_for_next_session(model, panel), expected)


def test_signals_name_model_session_positions_and_closes(model: ServedModel) -> None:
    panel = make_panel()
    signals = make_signals(model, panel, Holdings(np.array([0.1, 0.2, 0.3])))
    targets = target_weights_for_next_session(model, panel, Holdings(np.array([0.1, 0.2, 0.3])))
    assert [signal.symbol for signal in signals] == ["AAA", "BBB", "CCC"]
    assert {(signal.agent, signal.version, signal.as_of) for signal in signals} == {
        ("stocks", "night-1", date(2026, 2, 9))
    }
    assert [signal.target_weight for signal in signals] == list(targets)
    assert [signal.current_weight for signal in signals] == [0.1, 0.2, 0.3]
    assert [signal.last_close for signal in signals] == list(panel.close[-1])


def test_the_last_close_of_a_symbol_without_a_bar_today_is_the_one_before(model: ServedModel) -> None:
    panel = make_panel()
    close, opening = panel.close.copy(), panel.open.copy()
    close[-1, 1] = opening[-1, 1] = np.nan
    signals = make_signals(model, replace(panel, close=close, open=opening))
    assert signals[1].last_close == panel.close[-2, 1]


@pytest.mark.parametrize(
    ("holdings", "message"),
    [
        (Holdings(np.zeros(2)), r"one finite weight per symbol \(3\), got shape \(2,\)"),
        (Holdings(np.array([0.0, np.nan, 0.0])), "one finite weight per symbol"),
        (Holdings(np.zeros(3), drawdown=0.1), r"drawdown must be in \[-1, 0\], got 0.1"),
        (Holdings(np.zeros(3), drawdown=float("nan")), r"drawdown must be in \[-1, 0\], got nan"),
    ],
)
def test_unusable_holdings_are_refused(model: ServedModel, holdings: Holdings, message: str) -> None:
    with pytest.raises(ExecutionError, match=message):
        target_weights_for_next_session(model, make_panel(), holdings)


def test_a_network_that_yields_nan_gives_no_signal(
    tmp_path: Path, make_bundle: Callable[..., Path], training_output: Path
) -> None:
    write_linear_network(training_output / "policy.onnx", [float("nan")] * 7)
    model = load_model(make_bundle(tmp_path / "m"))
    with pytest.raises(ExecutionError, match="must be finite"):
        target_weights_for_next_session(model, make_panel())


def test_an_empty_panel_gives_no_signal(model: ServedModel) -> None:
    with pytest.raises(DataWindowError, match="at least one session"):
        target_weights_for_next_session(model, make_panel().rows(0, 0))


def test_a_network_that_does_not_fit_the_features_is_refused(tmp_path: Path, make_bundle: Callable[..., Path]) -> None:
    folder = make_bundle(tmp_path / "m", policy_card(feature_names=("momentum", "volatility")))
    with pytest.raises(ModelIntegrityError, match=r"must take 6 columns \(2 features and 4 account columns\), got 7"):
        load_model(folder)
    folder = make_bundle(tmp_path / "w", policy_card(window=2))
    with pytest.raises(ModelIntegrityError, match=r"must take 10 columns \(3 features of 2 sessions and 4 account"):
        load_model(folder)


def test_a_network_for_other_assets_than_the_models_is_refused(
    tmp_path: Path, make_bundle: Callable[..., Path], training_output: Path
) -> None:
    write_linear_network(training_output / "policy.onnx", [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], assets=3)
    with pytest.raises(ModelIntegrityError, match="must take any number of assets or the 2 of its training, got 3"):
        load_model(make_bundle(tmp_path / "two"))
    model = load_model(make_bundle(tmp_path / "three", policy_card(symbols=("AAA", "BBB", "CCC"))))
    assert target_weights_for_next_session(model, make_panel()).shape == (3,)
    with pytest.raises(ModelIntegrityError, match=r"must have the shape \(N, 3, 7\), got \(1, 2, 7\)"):
        target_weights_for_next_session(model, make_panel().select(("AAA", "BBB")))


def test_an_unknown_baseline_is_refused(tmp_path: Path, make_bundle: Callable[..., Path]) -> None:
    folder = make_bundle(tmp_path / "m", baseline_card(baseline="astrology"))
    with pytest.raises(ModelIntegrityError, match=r"baseline must be one of carry, cash, .*got 'astrology'"):
        load_model(folder)
