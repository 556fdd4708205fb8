"""The file of known corporate actions."""

from datetime import date
from pathlib import Path

import pytest

from wealtharena.core.errors import CurationError
from wealtharena.curation import KnownAction, load_known_actions
from wealtharena.settings import CONFIG_FOLDER, CurationSettings

GOOD = "{symbol: B, ex_date: 2020-01-02, kind: split, ratio: 2, source: x}"


def write(folder: Path, text: str) -> Path:
    path = folder / "actions.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_actions_come_in_order_of_symbol_and_date(tmp_path: Path) -> None:
    earlier = "{symbol: A, ex_date: 2021-01-02, kind: demerger, ratio: 0.7, source: ruling}"
    loaded = load_known_actions(write(tmp_path, f"actions: [{GOOD}, {earlier}]"))
    assert loaded[0] == KnownAction("A", date(2021, 1, 2), "demerger", 0.7, "ruling")
    assert [action.symbol for action in loaded] == ["A", "B"]


def test_shares_divide_prices_and_value_multiplies_them() -> None:
    factors = {
        kind: KnownAction("A", date(2020, 1, 2), kind, ratio, "x").applied().price_factor
        for kind, ratio in (("split", 4.0), ("consolidation", 0.2), ("demerger", 0.7), ("rights_issue", 0.9))
    }
    assert factors == {"split": 0.25, "consolidation": 5.0, "demerger": 0.7, "rights_issue": 0.9}


def test_the_file_that_ships_holds_the_coles_demerger() -> None:
    actions = load_known_actions(CONFIG_FOLDER / CurationSettings().corporate_actions)
    coles = [action for action in actions if (action.symbol, action.ex_date) == ("WES.AX", date(2018, 11, 21))]
    assert [(action.kind, action.ratio) for action in coles] == [("demerger", 0.7109)]
    assert all(action.source for action in actions)


def test_an_empty_list_is_fine(tmp_path: Path) -> None:
    assert load_known_actions(write(tmp_path, "actions: []")) == ()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("actions: [", "must be a readable YAML file"),
        ("- 1", "must hold a list under `actions`"),
        ("actions: 3", "must hold a list under `actions`"),
        ("actions: [7]", "action 1 must have exactly ex_date, kind, ratio, source, symbol, got 7"),
        (f"actions: [{GOOD[:-1]}, note: y}}]", r"must have exactly .* got \['ex_date', 'kind', 'note'"),
        (f"actions: [{GOOD.replace('2020-01-02', 'soon')}]", "ex_date must be a date, got 'soon'"),
        (f"actions: [{GOOD.replace('kind: split', 'kind: merger')}]", "kind must be one of .* got 'merger'"),
        (f"actions: [{GOOD.replace('ratio: 2', 'ratio: 0')}]", "ratio must be a number above 0, got 0"),
        (f"actions: [{GOOD.replace('ratio: 2', 'ratio: two')}]", "ratio must be a number above 0, got 'two'"),
        (f"actions: [{GOOD}, {GOOD}]", "an action must stand once, got B 2020-01-02 split twice"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(CurationError, match=complaint):
        load_known_actions(write(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CurationError, match=r"curation\.corporate_actions: .*none\.yaml must be a readable YAML file"):
        load_known_actions(tmp_path / "none.yaml")
