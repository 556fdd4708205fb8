import json
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from serving_models import CREATED, RULES, baseline_card, make_panel, policy_card, write_linear_network

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.errors import CurationError, ModelIntegrityError, RegistryError, SettingsError
from wealtharena.core.panel import MarketPanel
from wealtharena.markets import MARKETS
from wealtharena.serving.bundle import checkpoint_ref, write_bundle
from wealtharena.serving.checkpoints import ModelCheckpoint
from wealtharena.serving.frames import Context, observed_panel
from wealtharena.serving.production import ProductionModelManager
from wealtharena.serving.signals import Holdings, target_weights_for_next_session

STOCK_FEATURES = MARKETS[AssetClass.STOCKS].indicators


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a real MLflow registry: stocks has two versions, reits a challenger only, crypto a baseline."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "mlflow").mkdir()
    uri = f"sqlite:///{folder / 'mlflow' / 'mlflow.db'}"
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    content = tmp_path_factory.mktemp("training")
    write_linear_network(content / "policy.onnx", [1.0] * (len(STOCK_FEATURES) + 4))
    for name, seed in (("first night", 1), ("second night", 2)):
        write_bundle(
            folder / "checkpoints" / "stocks" / name,
            policy_card(seed=seed, feature_names=STOCK_FEATURES),
            content,
            CREATED + timedelta(days=seed),
        )
        register(client, "stocks", folder / "checkpoints" / "stocks" / name)
    client.set_registered_model_alias("wealtharena-stocks", "champion", "1")
    client.set_registered_model_alias("wealtharena-stocks", "challenger", "2")
    write_bundle(folder / "checkpoints" / "crypto" / "a", baseline_card(agent="crypto"), None, CREATED)
    register(client, "crypto", folder / "checkpoints" / "crypto" / "a")
    client.set_registered_model_alias("wealtharena-crypto", "champion", "1")
    write_bundle(folder / "checkpoints" / "reits" / "a", baseline_card(agent="reits"), None, CREATED)
    register(client, "reits", folder / "checkpoints" / "reits" / "a")
    client.set_registered_model_alias("wealtharena-reits", "challenger", "1")
    return folder


def register(client: MlflowClient, agent: str, bundle: Path) -> None:
    name = f"wealtharena-{agent}"
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)
    client.create_model_version(name, bundle.as_uri(), tags={"bundle_hash": checkpoint_ref(bundle).bundle_hash})


def random_bars(sessions: int = 420, symbols: tuple[str, ...] = ("BHP.AX", "CBA.AX", "CSL.AX")) -> pd.DataFrame:
    rng = np.random.default_rng(11)
    dates = pd.bdate_range(end="2026-11-06", periods=sessions)
    frames = []
    for symbol in symbols:
        close = 50.0 * np.exp(np.cumsum(rng.normal(0.0004, 0.015, sessions)))
        opening = close * np.exp(rng.normal(0.0, 0.004, sessions))
        frames.append(
            pd.DataFrame(
                {
                    "Date": dates,
                    "symbol": symbol,
                    "Open": opening,
                    "High": np.maximum(opening, close) * 1.004,
                    "Low": np.minimum(opening, close) * 0.996,
                    "Close": close,
                    "Volume": rng.integers(100_000, 900_000, sessions),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def stocks_panel(bars: pd.DataFrame, macro: pd.DataFrame | None = None) -> MarketPanel:
    return observed_panel(AssetClass.STOCKS, bars, STOCK_FEATURES, Context(macro=macro))


def test_the_champion_is_found_by_alias_and_verified(home: Path) -> None:
    model = ProductionModelManager(str(home)).load_agent_model("asx_stocks")
    assert (model.card.agent, model.version, model.card.seed) == ("stocks", "1", 1)
    assert model.policy is not None


def test_predictions_come_with_agent_version_session_and_a_weight_per_symbol(home: Path) -> None:
    bars = random_bars()
    prediction = ProductionModelManager(home).get_model_prediction("asx_stocks", bars)
    assert prediction["agent"] == "stocks"
    assert prediction["version"] == "1"
    assert prediction["as_of"] == "2026-11-06"
    assert list(prediction["weights"]) == ["BHP.AX", "CBA.AX", "CSL.AX"]
    assert 0.0 < sum(prediction["weights"].values()) <= 1.0
    json.dumps(prediction)


def test_frames_and_the_panel_made_of_them_give_one_prediction(home: Path) -> None:
    manager = ProductionModelManager(home)
    bars = random_bars()
    per_symbol = {
        symbol: frame.drop(columns="symbol").set_index("Date").tz_localize("Australia/Sydney")
        for symbol, frame in bars.groupby("symbol")
    }
    panel = stocks_panel(bars)
    model = manager.load_agent_model("stocks")
    expected = dict(zip(panel.symbols, target_weights_for_next_session(model, panel).tolist(), strict=True))
    for data in (bars, bars.sample(frac=1.0, random_state=1), per_symbol, panel):
        assert manager.get_model_prediction("us_stocks", data)["weights"] == expected


def test_holdings_reach_the_policy(home: Path) -> None:
    manager = ProductionModelManager(home)
    panel = stocks_panel(random_bars())
    flat = manager.get_model_prediction("stocks", panel)["weights"]
    held = manager.get_model_prediction("stocks", panel, Holdings(np.array([0.0, 0.3, 0.3]), -0.05))["weights"]
    assert flat != held


def test_a_baseline_champion_gives_the_targets_of_its_rule(home: Path) -> None:
    panel = make_panel(symbols=("ADA-USD", "BTC-USD"))
    prediction = ProductionModelManager(home).get_model_prediction("cryptocurrencies", panel)
    assert prediction["weights"] == {"ADA-USD": RULES.max_weight, "BTC-USD": RULES.max_weight}


def test_an_agent_without_champion_is_named(home: Path) -> None:
    with pytest.raises(RegistryError, match="reits: no champion in sqlite"):
        ProductionModelManager(home).load_agent_model("reits")
    with pytest.raises(RegistryError, match="commodities: no champion in sqlite"):
        ProductionModelManager(home).load_agent_model("commodities")


def test_a_home_without_registry_is_named_and_left_alone(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match=r"mlflow\.db: no model registry there; the nightly run creates it"):
        ProductionModelManager(tmp_path).load_agent_model("stocks")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_registry_is_named(tmp_path: Path) -> None:
    (tmp_path / "mlflow").mkdir()
    (tmp_path / "mlflow" / "mlflow.db").write_bytes(b"not a database" * 100)
    with pytest.raises(RegistryError, match=r"mlflow\.db: the model registry cannot be read: file is not a database"):
        ProductionModelManager(tmp_path).load_agent_model("stocks")


def test_an_unknown_agent_is_named_with_those_that_exist(home: Path) -> None:
    with pytest.raises(SettingsError, match=r"unknown agent 'bonds'; known: .*stocks"):
        ProductionModelManager(home).get_model_prediction("bonds", make_panel())


def test_all_champions_are_listed(home: Path) -> None:
    models = ProductionModelManager(home).list_models()
    assert [(item["agent"], item["version"], item["kind"]) for item in models] == [
        ("stocks", "1", "policy"),
        ("crypto", "1", "baseline"),
    ]
    assert models[0]["bundle_hash"] == checkpoint_ref(home / "checkpoints" / "stocks" / "first night").bundle_hash


def test_checkpoints_and_champions_share_a_home(home: Path) -> None:
    found = ModelCheckpoint(home).list_checkpoints("asx_stocks")
    assert [item["name"] for item in found] == ["second night", "first night"]


def test_a_loaded_champion_stays_until_it_is_loaded_again(home: Path) -> None:
    manager = ProductionModelManager(home)
    panel = stocks_panel(random_bars())
    assert manager.get_model_prediction("stocks", panel)["version"] == "1"
    uri = f"sqlite:///{home / 'mlflow' / 'mlflow.db'}"
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    client.set_registered_model_alias("wealtharena-stocks", "champion", "2")
    try:
        assert manager.get_model_prediction("stocks", panel)["version"] == "1"
        assert manager.load_agent_model("stocks").version == "2"
        assert manager.get_model_prediction("stocks", panel)["version"] == "2"
    finally:
        client.set_registered_model_alias("wealtharena-stocks", "champion", "1")


def test_a_champion_altered_after_registration_is_not_served(home: Path) -> None:
    network = home / "checkpoints" / "stocks" / "first night" / "policy.onnx"
    original = network.read_bytes()
    network.write_bytes(original[:-1] + b"\0")
    try:
        with pytest.raises(ModelIntegrityError, match=r"policy\.onnx: must have SHA-256"):
            ProductionModelManager(home).load_agent_model("stocks")
    finally:
        network.write_bytes(original)


def test_a_model_registered_for_another_agent_is_not_served(home: Path) -> None:
    uri = f"sqlite:///{home / 'mlflow' / 'mlflow.db'}"
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    register(client, "etfs", home / "checkpoints" / "crypto" / "a")
    client.set_registered_model_alias("wealtharena-etfs", "champion", "1")
    try:
        with pytest.raises(ModelIntegrityError, match="must hold a model of 'etfs', got 'crypto'"):
            ProductionModelManager(home).load_agent_model("etfs")
    finally:
        client.delete_registered_model("wealtharena-etfs")


def test_all_champions_are_loaded_at_once(home: Path) -> None:
    models = ProductionModelManager(home).load_all()
    assert {name: model.version for name, model in models.items()} == {"stocks": "1", "crypto": "1"}


def test_champions_are_loaded_without_ray_torch_mlflow_or_a_single_unpickled_object(home: Path) -> None:
    """Python tells an audit hook of every class that a pickle asks for; pickle's functions are barred besides."""
    script = """
import pickle, sys
from pathlib import Path
import numpy
from wealtharena.serving.production import ProductionModelManager
asked = []
sys.addaudithook(lambda event, details: asked.append(details) if event == "pickle.find_class" else None)
def barred(*_, **__):
    raise AssertionError("unpickled")
pickle.load = pickle.loads = pickle._load = pickle._loads = barred
models = ProductionModelManager(Path(sys.argv[1])).load_all()
assert set(models) == {"stocks", "crypto"}
policy = models["stocks"].policy
assert policy.act(numpy.zeros((1, 2, policy.observation_columns), numpy.float32)).shape == (1, 2)
print(len(asked), *(name for name in ("ray", "torch", "mlflow") if name in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", script, str(home)], capture_output=True, text=True, check=False)
    assert (done.stdout.split(), done.returncode) == (["0"], 0), done.stderr


def without(column: str) -> pd.DataFrame:
    return random_bars(30).drop(columns=column)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (without("Close"), "missing close"),
        (without("Date"), "must have a date index or one of the columns"),
        (random_bars(30).assign(Close="n/a"), "close must hold numbers"),
        (random_bars(30).assign(Date="someday"), "session_date must hold dates"),
        (random_bars(30).assign(Date=pd.NaT), "session_date must hold dates, got 90 empty ones"),
        (pd.concat([random_bars(30), random_bars(30)]), "BHP.AX: must have one bar per day, got two on 2026-09-28"),
        ({}, "at least one symbol"),
    ],
)
def test_unusable_bars_are_refused(home: Path, data: object, message: str) -> None:
    with pytest.raises(CurationError, match=message):
        ProductionModelManager(home).get_model_prediction("stocks", data)  # type: ignore[arg-type]


def test_adjusted_closes_make_a_split_harmless() -> None:
    bars = random_bars(400)
    split = bars.copy()
    before = split["Date"] < pd.Timestamp("2026-06-01")
    split["Adj Close"] = split["Close"]
    for column in ("Open", "High", "Low", "Close"):
        split[column] = split[column].where(~before, split[column] * 2.0)
    split["Volume"] = split["Volume"].where(~before, split["Volume"] / 2.0)
    plain = stocks_panel(bars)
    adjusted = stocks_panel(split)
    np.testing.assert_allclose(adjusted.close, plain.close)
    np.testing.assert_allclose(adjusted.features[-1], plain.features[-1], atol=1e-5)


def test_macro_series_become_features_where_the_model_asks_for_them() -> None:
    days = pd.date_range("2025-01-01", "2026-10-01", freq="MS")
    macro = pd.DataFrame(
        {
            "series": "DGS10",
            "reference_date": days,
            "value": np.linspace(4.0, 5.0, len(days)),
            "available_date": days + pd.Timedelta(days=5),
        }
    )
    panel = stocks_panel(random_bars(), macro)
    assert panel.feature_names == (*STOCK_FEATURES, "macro_DGS10")
    assert np.all(panel.features[-1, :, -1] != 0.0)
    assert panel.dates[-1].astype(object) == date(2026, 11, 6)


def test_meta_agent_needs_a_panel_of_books(home: Path) -> None:
    uri = f"sqlite:///{home / 'mlflow' / 'mlflow.db'}"
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    write_bundle(home / "checkpoints" / "meta" / "a", baseline_card(agent="meta"), None, CREATED)
    register(client, "meta", home / "checkpoints" / "meta" / "a")
    client.set_registered_model_alias("wealtharena-meta", "champion", "1")
    try:
        with pytest.raises(ModelIntegrityError, match="needs a MarketPanel"):
            ProductionModelManager(home).get_model_prediction("meta", random_bars(30))
    finally:
        client.delete_registered_model("wealtharena-meta")
