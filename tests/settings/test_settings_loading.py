"""Settings come from a profile, variables and --set texts; a bad one names key, rule, value and origin."""

from datetime import date
from pathlib import Path

import pytest
from pydantic import ValidationError

from wealtharena.core.errors import SettingsError
from wealtharena.settings import Algorithm, Settings, load_settings, settings_hash


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_later_layers_win_over_earlier_ones(tmp_path: Path) -> None:
    profile = write(tmp_path / "mine.yaml", "seed: 2\nwindows: {held_out_days: 100, validation_days: 90}\n")
    variables = {"WEALTHARENA_SEED": "3", "WEALTHARENA_WINDOWS__HELD_OUT_DAYS": "80"}
    settings = load_settings(profile, ["seed=4"], variables)
    assert (settings.seed, settings.windows.held_out_days, settings.windows.validation_days) == (4, 80, 90)


def test_a_recipe_is_changed_in_part_and_keeps_the_rest() -> None:
    settings = load_settings("quickstart", ["agents.etfs.gamma=0.5"], {})
    plain = load_settings("quickstart", [], {})
    assert settings.agents["etfs"] == plain.agents["etfs"].model_copy(update={"gamma": 0.5})
    assert settings.agents["etfs"].algorithm is Algorithm.A2C


def test_values_are_read_as_yaml() -> None:
    settings = load_settings("quickstart", ["run.as_of=2024-03-01", "run.asset_classes=[stocks, crypto]"], {})
    assert settings.run.as_of == date(2024, 3, 1)
    assert settings.run.asset_classes == ("stocks", "crypto")


def test_home_is_a_variable_of_its_own_and_is_never_read_as_yaml() -> None:
    assert load_settings("quickstart", [], {"WEALTHARENA_HOME": "007"}).home == Path("007")


@pytest.mark.parametrize("profile", ["quickstart", "files", "nightly"])
def test_every_shipped_profile_loads(profile: str) -> None:
    assert load_settings(profile, [], {}).profile == profile


@pytest.mark.parametrize(
    ("overrides", "variables", "message"),
    [
        (["risk.max_weight=1.4"], {}, r"risk\.max_weight: .*less than or equal to 1, got 1\.4 \(from --set risk"),
        (
            [],
            {"WEALTHARENA_SEED": "-1"},
            r"seed: .*greater than or equal to 0, got -1 \(from variable WEALTHARENA_SEED",
        ),
        (["windows.unheard=1"], {}, r"windows\.unheard: is not a known setting, got 1 \(from --set"),
        ([], {"WEALTHARENA_NO__SUCH": "1"}, r"no: is not a known setting.*from variable WEALTHARENA_NO__SUCH"),
        (["agents.new.gamma=0.5"], {}, r"agents\.new\.algorithm: Field required \(from --set agents\.new"),
        (["agents.new={algorithm: PPO}"], {}, r"agents must name known agents \(stocks.*got new"),
        (["meta.fusion_weights.new=1"], {}, r"meta\.fusion_weights must name known agents .*got new"),
        (["seed"], {}, r"--set must look like key\.sub=value, got 'seed'"),
        (["seed=[1"], {}, r"not valid YAML"),
        (["run.asset_classes=[stocks, bonds]"], {}, r"run\.asset_classes\.1: .*got 'bonds'"),
        (["costs.stocks.commission_bps=.nan"], {}, r"costs\.stocks\.commission_bps: .*finite"),
    ],
)
def test_a_bad_value_names_key_rule_value_and_origin(
    overrides: list[str], variables: dict[str, str], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        load_settings("quickstart", overrides, variables)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("windows: [1\n", r"not valid YAML \(line 2"),
        ("- a\n- b\n", "must hold a mapping of sections, got list"),
        ("windows:\n  held_out_days: many\n", r"windows\.held_out_days: .*got 'many' \(from file .*bad\.yaml"),
    ],
)
def test_a_broken_profile_names_the_file_and_the_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load_settings(write(tmp_path / "bad.yaml", text), [], {})


def test_an_unknown_profile_lists_the_known_ones() -> None:
    with pytest.raises(SettingsError, match="files, nightly, quickstart"):
        load_settings("nightmare", [], {})


def test_a_password_is_in_no_message_and_no_dump(tmp_path: Path) -> None:
    settings = load_settings("quickstart", [], {"WEALTHARENA_MLFLOW__PASSWORD": "s3cret"})
    assert "s3cret" not in repr(settings) + settings.model_dump_json()
    for section in ("mlflow: {password", "vendors: {fred: {api_key"):
        profile = write(tmp_path / "bad.yaml", section + ": [s3cret, s3cret]" + "}" * section.count("{"))
        with pytest.raises(SettingsError) as caught:
            load_settings(profile, [], {})
        assert "s3cret" not in str(caught.value)


def test_a_key_is_taken_as_text_from_its_own_variable_or_the_vendors_usual_one() -> None:
    usual = load_settings("quickstart", [], {"FRED_API_KEY": "0123"}).vendors.fred.api_key
    own = load_settings("quickstart", [], {"FRED_API_KEY": "0123", "WEALTHARENA_VENDORS__FRED__API_KEY": "4567"})
    assert usual is not None
    assert usual.get_secret_value() == "0123"
    assert own.vendors.fred.api_key is not None
    assert own.vendors.fred.api_key.get_secret_value() == "4567"


def test_a_key_is_refused_where_others_would_read_it() -> None:
    with pytest.raises(SettingsError, match="must be given as variable WEALTHARENA_VENDORS__FRED__API_KEY") as caught:
        load_settings("quickstart", ["vendors.fred.api_key=s3cret"], {})
    assert "s3cret" not in str(caught.value)


def test_keys_and_pacing_leave_the_hash_alone_and_the_vendors_address_does_not() -> None:
    plain = settings_hash(load_settings("quickstart", [], {}))
    paced = load_settings("quickstart", ["vendors.yahoo.max_per_second=5"], {"FRED_API_KEY": "0123"})
    elsewhere = load_settings("quickstart", ["vendors.yahoo.base_url=http://127.0.0.1:1"], {})
    assert settings_hash(paced) == plain
    assert settings_hash(elsewhere) != plain


def test_a_moment_of_knowledge_needs_a_time_zone() -> None:
    with pytest.raises(SettingsError, match=r"run\.known_at must have a time zone"):
        load_settings("quickstart", ["run.known_at=2024-03-01T10:00:00"], {})


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        load_settings("quickstart", [], {}).seed = 5  # type: ignore[misc]


def test_the_hash_follows_what_changes_results_and_nothing_else() -> None:
    plain = load_settings("quickstart", [], {})
    elsewhere = load_settings("quickstart", ["home=/tmp/x", "prefect.port=4999", "log_level=DEBUG"], {})
    reseeded = load_settings("quickstart", ["seed=2"], {})
    assert settings_hash(plain) == settings_hash(elsewhere) != settings_hash(reseeded)


def test_every_setting_is_documented() -> None:
    undocumented = []
    for name, section in Settings.model_fields.items():
        model = section.annotation
        fields = getattr(model, "model_fields", {})
        undocumented += [f"{name}.{key}" for key, item in fields.items() if not item.description]
    assert not undocumented
