"""Two nights in a row on the simulator: what was decided in the first one has a forward session after the second."""

from datetime import date
from pathlib import Path

import pytest
from simulated_nights import crown, simulated_night, with_features

from tasks.markets import with_market
from tasks.night import Night
from tasks.paper import PaperReceipt, trade_agent, trade_meta
from tasks.paper_accounts import CHAMPION_LANE, paper_sessions
from tasks.signals import agents_to_signal, signal_agent, signal_meta
from wealtharena.evaluation.baselines import baselines_of

pytestmark = pytest.mark.slow

CHAMPIONS = {"etfs": "equal_weight", "reits": "time_series_momentum"}


def night_of(home: Path, as_of: date) -> Night:
    sections = {
        "vendors": {"simulator": {"symbols_per_class": 2, "start": "2020-06-01"}},
        "windows": {"held_out_days": 60, "validation_days": 70, "embargo_days": 2, "min_train_days": 80},
    }
    return with_features(simulated_night(home, "etfs", "reits", as_of=as_of, with_meta=True, **sections))


def trade(night: Night) -> dict[str, PaperReceipt]:
    return {agent: trade_agent.fn(night, agent) for agent in with_market(night, night.agents)} | {
        "meta": trade_meta.fn(night)
    }


def publish(night: Night) -> None:
    for agent in agents_to_signal(night):
        assert signal_agent.fn(night, agent).notes == ()
    assert signal_meta.fn(night).notes == ()


def test_forward_sessions_appear_and_the_champions_account_is_what_was_published(tmp_path: Path) -> None:
    first, second = (night_of(tmp_path / "home", date(2022, 6, day)) for day in (29, 30))
    before = trade(first)
    assert [account.sessions for item in before.values() for account in item.accounts] == [0] * 10
    assert before["meta"].notes[0].startswith("only the champion's account goes on: the meta-agent needs two agents")
    crown(first, CHAMPIONS)
    publish(first)
    after = trade(second)
    for agent, rule in CHAMPIONS.items():
        accounts = paper_sessions(second.warehouse, agent)
        assert {len(item.dates) for item in accounts.values()} == {1}
        # Who buys shares out of cash for the first time buys what the rule would: the account is the rule's.
        assert accounts[CHAMPION_LANE].returns == pytest.approx(accounts[f"baseline:{rule}"].returns, abs=1e-12)
        assert accounts["baseline:cash"].returns == pytest.approx(accounts["baseline:cash"].cash_returns)
        assert accounts["baseline:equal_weight"].turnover[0] > 0.5
    book = {account.lane: account for account in after["meta"].accounts}
    assert set(book) == {CHAMPION_LANE, *baselines_of(None)}
    assert (book[CHAMPION_LANE].sessions, book["equal_weight"].sessions) == (1, 0)
    publish(second)
    again = trade(second)
    assert {account.new_sessions for item in again.values() for account in item.accounts} == {0}
    assert not any(item.problems for item in again.values())
