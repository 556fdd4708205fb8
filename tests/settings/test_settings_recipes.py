"""Figures of a recipe that do not fit together are refused where they are read, with setting, rule and value."""

import pytest

from wealtharena.core.errors import SettingsError
from wealtharena.settings import Algorithm, Settings, load_settings


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["agents.stocks.minibatch_size=4096"], r"agents\.stocks: minibatch_size must be at most .*2048\), got 4096"),
        (
            ["agents.etfs.train_batch_size=2000"],
            r"train_batch_size must be a multiple of num_accounts \(64\), got 2000",
        ),
        (
            ["agents.stocks.num_accounts=4096"],
            r"train_batch_size must be a multiple of num_accounts \(4096\), got 2048",
        ),
        (
            ["agents.crypto.num_accounts=512", "agents.crypto.replay_capacity=300"],
            r"replay_capacity must be at least num_accounts \(512\), got 300",
        ),
        (["agents.crypto.replay_capacity=255"], r"replay_capacity must be at least .*\(256\), got 255"),
        (
            ["agents.crypto.n_step=127"],
            r"agents\.crypto\.n_step must be at most training\.episode_days \(126\), got 127",
        ),
        (["agents.stocks.learning_rate=0"], r"agents\.stocks\.learning_rate: .*greater than 0, got 0"),
        (["agents.stocks.gamma=1"], r"agents\.stocks\.gamma: .*less than 1, got 1"),
        (["agents.stocks.env_steps=0"], r"agents\.stocks\.env_steps: .*greater than 0, got 0"),
        (["agents.stocks.hidden_sizes=[]"], r"agents\.stocks\.hidden_sizes: .*at least 1 item"),
        (["agents.stocks.hidden_sizes=[64, 0]"], r"agents\.stocks\.hidden_sizes\.1: .*greater than 0, got 0"),
    ],
)
def test_a_figure_that_does_not_fit_is_refused(overrides: list[str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load_settings("quickstart", overrides, {})


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["agents.currencies.actions=weights"], r"actions of DQN must be levels, got weights"),
        (["agents.crypto.actions=levels"], r"actions of SAC must be weights or changes, got levels"),
        (["agents.crypto.algorithm=DDPG"], r"agents\.crypto\.algorithm: .*'PPO', 'A2C', 'SAC' or 'DQN', got 'DDPG'"),
        (["agents.stocks.network=gru"], r"agents\.stocks\.network: .*'feed_forward'.*, got 'gru'"),
        (["agents.stocks.network=lstm"], r"window must be at least 2 for the network lstm, got 1"),
        (["agents.currencies.network=attention"], r"network of DQN must be feed_forward or lstm, got attention"),
        (["agents.stocks.window=0"], r"agents\.stocks\.window: .*greater than 0, got 0"),
        (["agents.currencies.levels=[-1, 2]"], r"agents\.currencies\.levels\.1: .*less than or equal to 1, got 2"),
        (["agents.currencies.levels=[1]"], r"levels must name two positions or more, all different, got \(1\.0,\)"),
        (["agents.currencies.levels=[0, 1, 1]"], r"two positions or more, all different, got \(0\.0, 1\.0, 1\.0\)"),
        (
            ["agents.currencies.levels=[-1, 0]", "agents.currencies.long_only=true"],
            r"levels must not be negative where long_only is set, got \(-1\.0, 0\.0\)",
        ),
        (["agents.stocks.levels=[0, 1]"], r"levels must be empty where actions are weights, got \(0\.0, 1\.0\)"),
        (["agents.stocks.reward.luck=1"], r"reward must name known settings \(log_return.*\), got luck"),
        (["agents.stocks.reward.variance=-1"], r"agents\.stocks\.reward\.variance: .*greater than or equal to 0"),
        (["agents.stocks.risk_profile=bold"], r"agents\.stocks\.risk_profile must be one of conservative.*got bold"),
    ],
)
def test_what_an_algorithm_or_a_network_cannot_do_is_refused(overrides: list[str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load_settings("quickstart", overrides, {})


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["training.seeds=0"], r"training\.seeds: .*greater than 0, got 0"),
        (["training.seeds=-3"], r"training\.seeds: .*greater than 0, got -3"),
        (["seed=-1"], r"seed: .*greater than or equal to 0, got -1"),
        (["training.num_workers=0"], r"training\.num_workers: .*greater than 0, got 0"),
        (["training.env_runners=-1"], r"training\.env_runners: .*greater than or equal to 0, got -1"),
        (["training.env_runners=3"], r"num_accounts of stocks must be a multiple of .*\(3\), got 64"),
        (["training.gpus=1.5"], r"training: gpus must be a whole number above 1, or a share of one GPU, got 1\.5"),
        (["training.ray_address="], r"training\.ray_address: .*valid string"),
        (["training.ray_address=''"], r"training\.ray_address: .*at least 1 character"),
        (["training.engine=slow"], r"training\.engine: .*'fast' or 'stock', got 'slow'"),
        (
            ["training.engine=stock", "agents.stocks.shadow_accounts=true"],
            r"agents\.stocks\.shadow_accounts must not be set with training\.engine stock",
        ),
        (["run.asset_classes=[]"], r"run\.asset_classes: .*at least 1 item"),
        (["run.max_symbols=0"], r"run\.max_symbols: .*greater than 0, got 0"),
    ],
)
def test_a_training_that_cannot_be_run_is_refused(overrides: list[str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load_settings("quickstart", overrides, {})


def test_a_rule_about_several_settings_tells_none_of_the_others() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings("quickstart", ["agents.stocks.minibatch_size=4096"], {})
    assert str(caught.value) == (
        "agents.stocks: minibatch_size must be at most train_batch_size (2048), got 4096 "
        "(from --set agents.stocks.minibatch_size=4096)"
    )


@pytest.mark.parametrize(
    ("agent", "actions", "levels"),
    [("stocks", "weights", (0.0, 1.0)), ("currencies", "levels", (-1.0, 0.0, 1.0)), ("crypto", "weights", (0.0, 1.0))],
)
def test_actions_that_are_not_named_are_those_of_the_algorithm(
    agent: str, actions: str, levels: tuple[float, ...]
) -> None:
    recipe = Settings().agents[agent]
    assert (recipe.action_kind, recipe.position_levels) == (actions, levels)


def test_the_meta_agent_has_a_recipe_like_every_other() -> None:
    settings = load_settings("quickstart", ["meta.env_steps=5000", "meta.risk_profile=aggressive"], {})
    recipe = settings.recipe_of("meta")
    assert (recipe.algorithm, recipe.env_steps, recipe.risk_profile) == (Algorithm.PPO, 5000, "aggressive")
    assert settings.recipe_of("crypto") is settings.agents["crypto"]
