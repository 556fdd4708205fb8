"""Reads settings from a profile, the environment and the command line, and remembers where each value came from."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from wealtharena.core.errors import SettingsError
from wealtharena.settings.models import Settings

CONFIG_FOLDER = Path(__file__).resolve().parents[2] / "config"
PREFIX = "WEALTHARENA_"
HOME_VARIABLE = "WEALTHARENA_HOME"

USUAL_KEYS = {
    "alpha_vantage": "ALPHAVANTAGE_API_KEY",
    "fred": "FRED_API_KEY",
    "coingecko": "COINGECKO_API_KEY",
}
"""Variables in which other programs keep the vendors' keys; ours (``WEALTHARENA_VENDORS__FRED__API_KEY``) wins."""

KeyPath = tuple[str, ...]

_SECRETS = ("api_key", "password")


def load_settings(
    profile: str = "quickstart",
    overrides: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """Settings of a profile, overridden by WEALTHARENA_* variables, overridden by ``key.sub=value`` texts.

    Args:
        profile: name of a YAML file in ``config/`` or a path to one.
        overrides: texts such as ``windows.held_out_days=126``; values are read as YAML.
        environment: variables to read; the process environment by default.

    Raises:
        SettingsError: a file, key or value is wrong; the message names key, rule, value and origin.
    """
    env = os.environ if environment is None else environment
    path = profile_path(profile)
    values = Settings().model_dump(mode="json")
    origins: dict[KeyPath, str] = {}
    layers = [
        (_read_profile(path), f"file {path}"),
        ({"profile": path.stem}, f"--profile {profile}"),
    ]
    layers += [(_nested(key, value), f"variable {name}") for name, (key, value) in _usual_keys(env)]
    layers += [(_nested(key, value), f"variable {name}") for name, (key, value) in _from_environment(env)]
    layers += [(_from_override(text), f"--set {text}") for text in overrides]  # secrets are refused in there
    for layer, origin in layers:
        _merge(values, layer, origin, (), origins)
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError(_explain(error, origins)) from None


def profile_path(profile: str) -> Path:
    """The YAML file of a profile name or path.

    Raises:
        SettingsError: there is no such file.
    """
    named = CONFIG_FOLDER / f"{profile}.yaml"
    if named.is_file():
        return named
    path = Path(profile)
    if path.is_file():
        return path
    known = sorted(item.stem for item in CONFIG_FOLDER.glob("*.yaml") if item.stem in PROFILES)
    raise SettingsError(f"profile {profile!r} is neither a file nor one of the known profiles: {', '.join(known)}")


PROFILES = ("quickstart", "files", "nightly")


def _read_profile(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"profile {path} cannot be read: {error}") from None
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        where = f" (line {place.line + 1}, column {place.column + 1})" if place else ""
        raise SettingsError(f"profile {path} is not valid YAML{where}: {getattr(error, 'problem', error)}") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise SettingsError(f"profile {path} must hold a mapping of sections, got {type(values).__name__}")
    return values


def _from_environment(env: Mapping[str, str]) -> Iterator[tuple[str, tuple[KeyPath, Any]]]:
    for name in sorted(env):
        if not name.startswith(PREFIX):
            continue
        key = tuple(part.lower() for part in name.removeprefix(PREFIX).split("__"))
        is_text = name == HOME_VARIABLE or key[-1] in _SECRETS
        yield name, (key, env[name] if is_text else _yaml_value(env[name], f"variable {name}"))


def _usual_keys(env: Mapping[str, str]) -> Iterator[tuple[str, tuple[KeyPath, str]]]:
    for vendor, name in USUAL_KEYS.items():
        if env.get(name):
            yield name, (("vendors", vendor, "api_key"), env[name])


def _from_override(text: str) -> dict[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise SettingsError(f"--set must look like key.sub=value, got {text!r}")
    if key.strip().rpartition(".")[2] in _SECRETS:
        # What is set here stands in the shell's history and among the parameters that Prefect shows.
        variable = PREFIX + key.strip().upper().replace(".", "__")
        raise SettingsError(f"--set {key.strip()}: a secret must be given as variable {variable}")
    return _nested(tuple(key.strip().split(".")), _yaml_value(value, f"--set {text}"))


def _yaml_value(text: str, origin: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        raise SettingsError(f"the value of {origin} is not valid YAML: {text!r}") from None


def _nested(key: KeyPath, value: Any) -> dict[str, Any]:
    for part in reversed(key):
        value = {part: value}
    return dict(value)


def _merge(
    values: dict[str, Any], layer: Mapping[Any, Any], origin: str, path: KeyPath, origins: dict[KeyPath, str]
) -> None:
    for raw_key, value in layer.items():
        key = str(raw_key)
        here = (*path, key)
        current = values.get(key)
        if isinstance(value, Mapping) and (isinstance(current, dict) or key not in values):
            values.setdefault(key, {})
            _merge(values[key], value, origin, here, origins)
        else:
            values[key] = value
        origins[here] = origin


def _explain(error: ValidationError, origins: Mapping[KeyPath, str]) -> str:
    lines = []
    for item in error.errors(include_url=False):
        location = tuple(str(part) for part in item["loc"])
        key = ".".join(location) or "settings"
        if item["type"] == "value_error":  # a rule of ours about several settings: it says which, and their values
            rule = str(item["ctx"]["error"])
            lines.append(f"{key}: {rule} (from {_origin(location, origins)})" if location else rule)
            continue
        rule = "is not a known setting" if item["type"] == "extra_forbidden" else item["msg"]
        value = "" if set(_SECRETS) & set(location) else f", got {item['input']!r}"
        if item["type"] == "missing" or not location:
            value = ""
        lines.append(f"{key}: {rule}{value} (from {_origin(location, origins)})")
    return "; ".join(lines)


def _origin(location: KeyPath, origins: Mapping[KeyPath, str]) -> str:
    for length in range(len(location), 0, -1):
        if location[:length] in origins:
            return origins[location[:length]]
    return "the built-in defaults"
