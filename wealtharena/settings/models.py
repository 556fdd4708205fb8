"""All settings as frozen models: unknown keys are refused, and what stands here is what runs."""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from wealtharena.core.asset_class import AssetClass

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
BasisPoints = Annotated[float, Field(ge=0.0, le=1_000.0)]
PositiveInt = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0.0)]
NotNegative = Annotated[float, Field(ge=0.0)]


class Section(BaseModel):
    """Base of every section: immutable, no unknown keys, the docstring under a field is its description."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True, allow_inf_nan=False
    )


def _require_known(section: str, values: Mapping[str, object], model: type[Section]) -> None:
    unknown = sorted(set(values) - set(model.model_fields))
    if unknown:
        known = ", ".join(model.model_fields)
        raise ValueError(f"{section} must name known settings ({known}), got {', '.join(unknown)}")


class RunSettings(Section):
    """Which night is run."""

    as_of: date | None = None
    """Last session that the run may know of; empty: the vendor's last complete session."""
    asset_classes: tuple[AssetClass, ...] = Field(default=tuple(AssetClass), min_length=1)
    """Classes to collect; the meta-agent spreads capital over them."""
    history_start: date = date(2014, 1, 1)
    """First day asked from the vendors."""
    known_at: datetime | Literal["now"] | None = None
    """Moment (with time zone) whose knowledge the run has: rows that became known later are not read. Empty: now, or
    for a given ``as_of`` what was known two days after it; ``now``: today's knowledge in any case."""
    exchanges: tuple[str, ...] = ()
    """Only instruments listed there (ASX, NYSE, NASDAQ …); empty: all."""
    max_symbols: PositiveInt | None = None
    """At most this many instruments per class, the first of the universe table; empty: all."""


class EventKind(StrEnum):
    """What may befall a simulated market."""

    VOLATILITY_SPIKE = "volatility_spike"
    LIQUIDITY_CRISIS = "liquidity_crisis"
    NEWS = "news"
    FLASH_CRASH = "flash_crash"
    FLASH_RALLY = "flash_rally"


class SimulatedEvent(Section):
    """One event of the simulated market; docs/simulator.md says what each kind does."""

    kind: EventKind
    """Kind of event."""
    day: date
    """Day on which it begins; where the exchange is closed, the next session. Nothing before it changes."""
    size: float
    """Spike, crisis: share by which the volatility is raised, the volume divided (above 0, at most 20). News: the jump
    as a fraction, of either sign. Flash crash and rally: depth and height as a fraction. Fractions are at most 0.9."""
    asset_class: AssetClass | None = None
    """Class that it hits; with neither this nor ``symbol``: the whole market."""
    symbol: str = ""
    """Symbol that it hits; news needs one."""
    half_life_days: PositiveFloat = 14.0
    """Calendar days after which half of a spike or a crisis is left; the other kinds last one session."""

    @model_validator(mode="after")
    def _size_and_target_fit_the_kind(self) -> "SimulatedEvent":
        lasting = self.kind in (EventKind.VOLATILITY_SPIKE, EventKind.LIQUIDITY_CRISIS)
        largest = 20.0 if lasting else 0.9
        if abs(self.size) > largest or self.size == 0.0 or (self.size < 0.0 and self.kind is not EventKind.NEWS):
            sign = "not 0, at most 0.9 either way" if self.kind is EventKind.NEWS else f"above 0, at most {largest:g}"
            raise ValueError(f"size of a {self.kind} must be {sign}, got {self.size}")
        if self.symbol and self.asset_class is not None:
            raise ValueError(f"an event must name asset_class or symbol, got {self.asset_class} and {self.symbol}")
        if self.kind is EventKind.NEWS and not self.symbol:
            raise ValueError("news must name the symbol that it is about, got none")
        return self


class SimulatorSettings(Section):
    """The embedded market simulator: demo data, made from a seed, with a documented structure to learn."""

    seed: int = 7
    """Seed of the simulated world; independent of the training seed."""
    symbols_per_class: PositiveInt = 6
    """Instruments in each class."""
    start: date = date(2017, 1, 2)
    """First simulated session; later as-of dates extend the same paths."""
    edge: float = Field(default=1.0, ge=0.0, le=5.0)
    """Strength of the learnable structure; 0 leaves a martingale on which nothing can be earned."""
    events_per_year: float = Field(default=0.0, ge=0.0, le=50.0)
    """Random events that hit a symbol in a year, on average; 0: none."""
    events: tuple[SimulatedEvent, ...] = ()
    """Events that take place for certain."""


class FilesSettings(Section):
    """A folder of CSV or Parquet files."""

    root: Path = Path("market-data")
    """Folder with ``market/<class>/<SYMBOL>.csv`` and ``macro/<SERIES>.csv`` (or ``.parquet``)."""


class AccessSettings(Section):
    """How a vendor is reached, and how often it may be asked."""

    base_url: str = ""
    """Where the vendor is reached; for Yahoo it stands for all of its hosts. Empty: the vendor's own address."""
    api_key: SecretStr | None = None
    """Key; empty: the vendor's usual variable, or a Prefect Secret block of that name (``fred-api-key``)."""
    max_per_second: PositiveFloat | None = None
    """Requests per second, over all processes on this home folder; empty: no limit. A fraction spaces them further."""
    max_per_minute: PositiveInt | None = None
    """Requests per minute."""
    max_per_day: PositiveInt | None = None
    """Requests per 24 hours."""
    max_per_month: PositiveInt | None = None
    """Requests per 30 days."""
    timeout_s: PositiveFloat = 20.0
    """Seconds that one request may take altogether."""
    max_attempts: PositiveInt = 4
    """Requests for one answer while the vendor fails in a way that may pass."""
    backoff_s: PositiveFloat = 1.0
    """First pause between two attempts; each further one is twice as long, and what the vendor asks for if longer."""
    max_wait_s: PositiveFloat = 120.0
    """A vendor that asks for a longer pause is left alone for the rest of the run."""
    max_failures: PositiveInt = 5
    """Symbols that may fail one after another before the vendor is left alone for the rest of the run."""


class YahooSettings(AccessSettings):
    """Yahoo Finance through yfinance; unofficial, for personal use, no key."""

    max_per_second: PositiveFloat | None = 1.0
    """Requests per second; Yahoo publishes no limit, users report trouble above one."""


class AlphaVantageSettings(AccessSettings):
    """Alpha Vantage through alpha_vantage; a free key allows 25 requests a day."""

    max_per_second: PositiveFloat | None = 1.0
    """Requests per second."""
    max_per_day: PositiveInt | None = 25
    """Requests per 24 hours."""
    outputsize: Literal["compact", "full"] = "compact"
    """``compact``: the last 100 bars, all that a free key gets; ``full``: the whole history (premium)."""


class FredSettings(AccessSettings):
    """FRED and ALFRED of the St. Louis Fed through fredapi; the key is free."""

    max_per_second: PositiveFloat | None = 2.0
    """Requests per second."""
    vintages_per_request: Annotated[int, Field(ge=2, le=2_000)] = 1_000
    """Release dates that one request may span, one of them shared with the next; above 2,000 FRED refuses."""


class CoingeckoSettings(AccessSettings):
    """CoinGecko through pycoingecko; works without a key, a free demo key is served more often."""

    max_per_minute: PositiveInt | None = 30
    """Requests per minute; keyless users are granted 5 to 15."""
    history_days: PositiveInt = 365
    """Days back from today that the plan serves."""


class RestSettings(AccessSettings):
    """A bar feed over HTTP that answers with JSON; ``base_url`` must be given."""

    path: str = "/bars/{symbol}?from={start}&to={end}"
    """Path and query of the bars of ``{symbol}`` from ``{start}`` to ``{end}`` (ISO days, both included)."""
    key_header: str = "Authorization"
    """Header that carries the key."""
    key_prefix: str = "Bearer "
    """What stands before the key in the header."""
    rows: str = ""
    """Where the list of bars lies in the answer, keys joined by dots; empty: the answer is the list."""
    fields: dict[str, str] = {
        "session_date": "date", "open": "open", "high": "high", "low": "low", "close": "close", "volume": "volume",
    }  # fmt: skip
    """The feed's name of each of our columns; ``adj_close``, ``dividend`` and ``split`` may be named too."""
    date_format: str = "%Y-%m-%d"
    """How days are written; ``unix`` and ``unix_ms`` for seconds and milliseconds since 1970 (UTC)."""
    price_basis: Literal["as_traded", "split_adjusted"] = "split_adjusted"
    """What the feed's prices are adjusted for."""


class VendorsSettings(Section):
    """Where market data comes from."""

    source: str = "simulator"
    """``live``: each class's vendors in ``order``, over the universe of ``config/universe``; or one vendor of
    ``VENDORS`` for everything."""
    order: dict[str, tuple[str, ...]] = {
        "stocks": ("yahoo", "alpha_vantage"),
        "crypto": ("yahoo", "coingecko", "alpha_vantage"),
        "etfs": ("yahoo", "alpha_vantage"),
        "currencies": ("yahoo", "alpha_vantage"),
        "reits": ("yahoo", "alpha_vantage"),
        "commodities": ("yahoo",),
        "macro": ("fred",),
    }
    """Vendors of each class and of the macro series: the first is preferred, the next stand in for what it lacks."""
    is_demo: bool = False
    """Says that what answers under the vendors' addresses is a stand-in: its data are then called demo data."""
    universe: Path = Path("universe")
    """Folder of the membership tables, relative to ``config/``."""
    min_coverage: Fraction = 0.8
    """Share of a class's symbols that must have data for the class to be trained."""
    overlap_sessions: PositiveInt = 5
    """Stored sessions that are asked again each night, to notice splits and revisions."""
    batch_size: PositiveInt = 250
    """Answers that go from the journal into the tables at once. No client asks for several symbols in one request."""
    revision_tolerance: PositiveFloat = 1e-5
    """Relative difference up to which two prices of one bar count as the same (vendors' float noise is near 1e-7)."""
    cross_check_symbols: Annotated[int, Field(ge=0)] = 1
    """Symbols per class and night that a second vendor is asked about as well, a different one each night."""
    cross_check_tolerance: PositiveFloat = 0.01
    """Relative difference of two vendors' prices, on one basis, from which it is recorded as a disagreement."""
    yahoo: YahooSettings = YahooSettings()
    """Settings of Yahoo Finance."""
    alpha_vantage: AlphaVantageSettings = AlphaVantageSettings()
    """Settings of Alpha Vantage."""
    fred: FredSettings = FredSettings()
    """Settings of FRED."""
    coingecko: CoingeckoSettings = CoingeckoSettings()
    """Settings of CoinGecko."""
    rest: RestSettings = RestSettings()
    """Settings of a REST bar feed."""
    simulator: SimulatorSettings = SimulatorSettings()
    """Settings of the simulator."""
    files: FilesSettings = FilesSettings()
    """Settings of the files vendor."""


class WarehouseSettings(Section):
    """Upkeep of the tables."""

    keep_days: PositiveInt = 30
    """Old table versions that `warehouse maintain` keeps readable; versions that a model names stay."""


class CurationSettings(Section):
    """Thresholds of the checks between raw and core data."""

    jump_threshold: PositiveFloat = 0.22
    """Absolute overnight log return from which a bar is examined for a split or marked as a jump."""
    jump_sigmas: PositiveFloat = 8.0
    """An examined move must also exceed this many trailing standard deviations to count as a jump."""
    split_tolerance: PositiveFloat = 0.10
    """Relative distance from a simple ratio (2:1, 3:1, 1:5 …) up to which a jump is taken for a split."""
    glitch_reversal: Fraction = 0.6
    """Share of a jump that the next bar must take back for the bar to be quarantined as a glitch."""
    stale_sessions: PositiveInt = 10
    """Sessions of the exchange without a bar after which an instrument counts as delisted."""
    corporate_actions: Path = Path("corporate_actions.yaml")
    """Known splits, consolidations and demergers, relative to ``config/``."""


class FeatureSettings(Section):
    """Macro and calendar inputs of the observation, beside the indicators of each class."""

    macro: bool = True
    """Adds macro series, joined from the session after their release."""
    macro_lag_days: dict[str, Annotated[int, Field(ge=0)]] = {}
    """Publication lag per series in days; others have that of the universe's table, or one from their spacing."""
    calendar: bool = False
    """Adds day of the week, month and turn of the month of the session (``calendar_…``), the same for every symbol of a
    class."""


class WindowSettings(Section):
    """How history is cut by date: training, then validation, then the held-out window that ends at ``as_of``.

    Lengths are trading days, 252 to the year; a class that trades every day of the year has 365 sessions for them.
    """

    held_out_days: PositiveInt = 252
    """Length of the held-out window; no training, selection or tuning ever reads it."""
    validation_days: PositiveInt = 252
    """Length of the window before it, for checkpoint selection and for the meta-agent."""
    embargo_days: Annotated[int, Field(ge=0)] = 5
    """Trading days left out between two windows."""
    min_train_days: PositiveInt = 400
    """A class with fewer training days is not trained."""


class TradeCosts(Section):
    """What one trade costs, and what holding a position costs."""

    commission_bps: BasisPoints
    """Commission and fees in basis points of traded value."""
    commission_per_unit: NotNegative = 0.0
    """Commission per traded unit (share), in the account's currency."""
    min_commission: NotNegative = 0.0
    """Least commission of one order, in the account's currency."""
    half_spread_bps: BasisPoints
    """Half of the bid-ask spread in basis points."""
    spread_volatility: Fraction = 0.0
    """Share of a day's volatility by which the half spread is wider."""
    impact: NotNegative = 1.0
    """Y of the square-root law of market impact, Y x volatility x sqrt(order / mean daily traded value); 0: none."""
    max_participation: Annotated[float, Field(gt=0.0, le=1.0)] = 0.01
    """Largest share of an asset's mean daily traded value that one order may take; the rest is not filled."""
    borrow_bps_per_year: BasisPoints = 0.0
    """Yearly cost of a short position in basis points of its value."""
    holding_bps_per_year: BasisPoints = 0.0
    """Yearly cost of any position, long or short, in basis points of its value (a financing margin)."""


class CostSettings(TradeCosts):
    """Costs of an asset class."""

    exchanges: dict[str, TradeCosts] = {}
    """Costs of the instruments of one exchange (``XASX`` …) instead of the class's."""


class ExecutionSettings(Section):
    """Accounts, and what their cash earns."""

    capital: PositiveFloat = 1_000_000.0
    """Currency that an account starts with; least commissions and market impact depend on it."""
    cash_series: tuple[str, ...] = ("FEDFUNDS", "SIM_RATE")
    """Macro series (per cent a year) that cash earns, the first that is at hand; none at hand or empty: no interest."""
    debit_bps_per_year: BasisPoints = 100.0
    """Margin over the cash rate that borrowed cash costs."""


class RiskSettings(Section):
    """Limits that the execution kernel enforces on every account; an empty limit is off."""

    max_weight: Annotated[float, Field(gt=0.0, le=1.0)] = 0.35
    """Largest absolute weight of one asset."""
    max_gross: Annotated[float, Field(gt=0.0, le=3.0)] = 1.0
    """Largest sum of absolute weights."""
    max_net: PositiveFloat | None = 1.0
    """Largest absolute sum of signed weights."""
    max_turnover: PositiveFloat | None = 1.5
    """Largest sum of absolute weight changes in one session; the other limits come before it."""
    min_effective_positions: Annotated[float, Field(ge=1.0)] = 2.0
    """Least effective number of positions when fully invested: squared weights sum to at most max_gross² over it."""
    concentration: Annotated[float, Field(ge=1.0)] = 2.0
    """Weight of a full position, as a multiple of an equal share of ``max_gross``."""
    max_volatility: PositiveFloat | None = 0.6
    """Largest yearly volatility that the last ``risk_window`` sessions give for the weights asked for."""
    scale_to_volatility: bool = False
    """Makes ``max_volatility`` a target: smaller books are scaled up to it, as far as the other limits allow."""
    max_var: PositiveFloat | None = 0.06
    """Largest daily value at risk (historical, at ``risk_confidence``), as a share of the account's value."""
    max_cvar: PositiveFloat | None = 0.09
    """Largest mean loss on the days beyond the value at risk."""
    risk_confidence: Annotated[float, Field(ge=0.5, lt=1.0)] = 0.95
    """Confidence of value at risk."""
    risk_window: Annotated[int, Field(ge=21, le=2_520)] = 64
    """Sessions that volatility and value at risk are taken from (multiples of 16 are computed fastest)."""
    drawdown_stop: Annotated[float, Field(gt=0.0, le=1.0)] | None = 0.35
    """Fall from the peak at which an account sells everything."""
    reentry_sessions: PositiveInt = 21
    """Sessions that a stopped account stays in cash; then it trades again, and its peak counts from there."""
    max_drawdown: Annotated[float, Field(gt=0.0, le=1.0)] = 0.40
    """A candidate that falls further than this from its peak in the held-out window is not promoted."""
    delisting_haircut: Fraction = 0.3
    """Share of the last price lost when an asset is delisted while held."""


class RewardSettings(Section):
    """Weights of the reward's terms; each term is per session, and penalties are negative by themselves."""

    log_return: NotNegative = 1.0
    """Log return of the account."""
    variance: NotNegative = 1.0
    """Half the squared log return (risk aversion)."""
    differential_sharpe: NotNegative = 0.0
    """Differential Sharpe ratio: what the session adds to the running Sharpe ratio."""
    downside: NotNegative = 0.0
    """Half the squared loss."""
    drawdown: NotNegative = 0.0
    """Fall from the peak."""
    cost: NotNegative = 0.0
    """Trading and carrying cost, on top of what the log return has of it."""
    turnover: NotNegative = 0.0
    """Traded value over the account's value."""
    concentration: NotNegative = 0.0
    """Sum of squared weights."""
    coordination: NotNegative = 0.0
    """Overlap of an agent's weights with the mean of the others' (several agents in one market)."""


class RiskProfile(Section):
    """An appetite for risk: what differs from ``risk`` and ``reward``."""

    risk: dict[str, float | None] = {}
    """Limits of ``risk`` by name."""
    reward: dict[str, float] = {}
    """Weights of ``reward`` by name."""

    @model_validator(mode="after")
    def _names_are_known(self) -> "RiskProfile":
        _require_known("risk", self.risk, RiskSettings)
        _require_known("reward", self.reward, RewardSettings)
        return self


class Algorithm(StrEnum):
    """Learning algorithms on RLlib's new API stack."""

    PPO = "PPO"
    A2C = "A2C"
    SAC = "SAC"
    DQN = "DQN"


class Network(StrEnum):
    """Shapes of policy and value networks."""

    FEED_FORWARD = "feed_forward"
    LSTM = "lstm"
    ATTENTION = "attention"
    PLAIN = "plain"


class Actions(StrEnum):
    """What an action says about an asset."""

    WEIGHTS = "weights"
    CHANGES = "changes"
    LEVELS = "levels"


_ACTIONS_OF = {
    Algorithm.PPO: tuple(Actions),
    Algorithm.A2C: tuple(Actions),
    Algorithm.SAC: (Actions.WEIGHTS, Actions.CHANGES),
    Algorithm.DQN: (Actions.LEVELS,),
}


class AgentSettings(Section):
    """Recipe of one agent; what an agent trades and observes is in ``wealtharena/agents/specs.py``."""

    algorithm: Algorithm
    """Learning algorithm."""
    network: Network = Network.FEED_FORWARD
    """``feed_forward``: one encoder shared by all assets; ``lstm``: the same over the sessions of ``window``;
    ``attention``: assets also look at one another; ``plain``: one multilayer perceptron over everything, for a fixed
    list of symbols."""
    actions: Actions | None = None
    """``weights``: a target per asset; ``changes``: by how much to change it; ``levels``: one of ``levels``. Empty:
    ``levels`` for DQN, ``weights`` for the others."""
    levels: tuple[Annotated[float, Field(ge=-1.0, le=1.0)], ...] = ()
    """Positions that discrete actions stand for, as shares of a full one; empty: 0 and 1, with -1 for short sellers."""
    window: PositiveInt = 1
    """Sessions whose features an observation shows."""
    env_steps: PositiveInt = 100_000
    """Environment steps of one training (accounts x sessions)."""
    hidden_sizes: tuple[PositiveInt, ...] = Field(default=(64, 64), min_length=1)
    """Layers of the encoder shared by all assets."""
    learning_rate: PositiveFloat = 1e-3
    """Adam (PPO, SAC, DQN) or RMSprop (A2C) step size."""
    final_learning_rate: NotNegative | None = None
    """Step size at the end of ``env_steps``, to which ``learning_rate`` goes in a straight line; empty: it stays."""
    gamma: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.9
    """Discount per session."""
    num_accounts: PositiveInt = 64
    """Accounts that trade side by side in the vectorised environment."""
    train_batch_size: PositiveInt = 2_048
    """PPO and A2C: steps per update round. SAC and DQN: transitions per update."""
    minibatch_size: PositiveInt = 1_024
    """PPO only: transitions per gradient step."""
    num_epochs: PositiveInt = 4
    """PPO only: passes over a batch."""
    gae_lambda: Fraction = 0.9
    """PPO and A2C: weight of longer estimates of the advantage."""
    clip_param: PositiveFloat = 0.2
    """PPO only: how far the probability of an action may move before its gradient ends."""
    kl_coeff: NotNegative = 0.0
    """PPO only: first weight of the divergence from the last policy, adapted as RLlib does; 0: clipping alone."""
    entropy_coeff: NotNegative = 0.0
    """PPO and A2C: weight of the entropy bonus."""
    shadow_accounts: bool | None = None
    """PPO and A2C: reward an account by what it earns more than one that follows the mean action on the same sessions.
    Empty: yes, as far as the engine can (``training.engine: stock`` cannot)."""
    replay_capacity: PositiveInt = 50_000
    """SAC and DQN: transitions in the replay buffer."""
    updates_per_step: PositiveFloat = 0.03
    """SAC and DQN: gradient updates per environment step."""
    n_step: PositiveInt = 1
    """SAC and DQN: sessions whose rewards are added up before the value network takes over."""
    tau: Annotated[float, Field(gt=0.0, le=1.0)] = 0.02
    """SAC and DQN: share of the way that the target network goes at each update."""
    initial_temperature: PositiveFloat = 0.003
    """SAC only: first weight of the entropy, adapted in training. A score moves a day's scaled reward by hundredths; a
    temperature near 1, as in control tasks, would drown that."""
    target_entropy: float = -1.0
    """SAC only: entropy per asset, in nats, that the temperature is adapted to; lower leaves less to chance."""
    explored_share: Fraction = 0.5
    """DQN only: share of the training over which random actions become rarer."""
    final_epsilon: Fraction = 0.05
    """DQN only: share of random actions from then on."""
    long_only: bool = True
    """Forbids short positions."""
    risk_profile: str = "balanced"
    """Name in ``risk_profiles``: limits and reward."""
    reward: dict[str, NotNegative] = {}
    """Weights of ``reward`` that differ for this agent."""

    @property
    def action_kind(self) -> Actions:
        """``actions``, or what the algorithm has by itself."""
        return self.actions or (Actions.LEVELS if self.algorithm is Algorithm.DQN else Actions.WEIGHTS)

    @property
    def position_levels(self) -> tuple[float, ...]:
        """``levels``, or those that the agent has by itself."""
        return self.levels or ((0.0, 1.0) if self.long_only else (-1.0, 0.0, 1.0))

    @model_validator(mode="after")
    def _reward_is_known(self) -> "AgentSettings":
        _require_known("reward", self.reward, RewardSettings)
        return self

    @model_validator(mode="after")
    def _batch_fits(self) -> "AgentSettings":
        if self.algorithm not in (Algorithm.PPO, Algorithm.A2C):
            return self
        if self.train_batch_size % self.num_accounts:
            raise ValueError(
                f"train_batch_size must be a multiple of num_accounts ({self.num_accounts}), "
                f"got {self.train_batch_size}"
            )
        if self.algorithm is Algorithm.PPO and self.minibatch_size > self.train_batch_size:
            raise ValueError(
                f"minibatch_size must be at most train_batch_size ({self.train_batch_size}), got {self.minibatch_size}"
            )
        return self

    @model_validator(mode="after")
    def _replay_fits(self) -> "AgentSettings":
        if self.algorithm not in (Algorithm.SAC, Algorithm.DQN):
            return self
        for name in ("train_batch_size", "num_accounts"):
            if self.replay_capacity < getattr(self, name):
                raise ValueError(
                    f"replay_capacity must be at least {name} ({getattr(self, name)}), got {self.replay_capacity}"
                )
        return self

    @model_validator(mode="after")
    def _actions_fit_the_algorithm(self) -> "AgentSettings":
        possible = _ACTIONS_OF[self.algorithm]
        if self.action_kind not in possible:
            raise ValueError(f"actions of {self.algorithm} must be {' or '.join(possible)}, got {self.action_kind}")
        if self.levels and self.action_kind is not Actions.LEVELS:
            raise ValueError(f"levels must be empty where actions are {self.action_kind}, got {self.levels}")
        if len(self.position_levels) < 2 or len(set(self.position_levels)) < len(self.position_levels):
            raise ValueError(f"levels must name two positions or more, all different, got {self.levels}")
        if self.long_only and min(self.position_levels) < 0.0:
            raise ValueError(f"levels must not be negative where long_only is set, got {self.levels}")
        return self

    @model_validator(mode="after")
    def _network_fits(self) -> "AgentSettings":
        if self.network is Network.LSTM and self.window < 2:
            raise ValueError(f"window must be at least 2 for the network lstm, got {self.window}")
        if self.network in (Network.ATTENTION, Network.PLAIN) and self.algorithm is Algorithm.DQN:
            raise ValueError(
                f"network of DQN must be feed_forward or lstm, got {self.network}: its accounts hold one asset each"
            )
        return self


class TrainingSettings(Section):
    """How a night's trainings are run."""

    engine: Literal["fast", "stock"] = "fast"
    """``fast``: RLlib's algorithms with our runners, replay and learners; ``stock``: RLlib's own, for comparison."""
    seeds: PositiveInt = 3
    """Trainings of each agent, with seeds of their own; the one that does best in validation is kept."""
    num_workers: PositiveInt = 2
    """Trainings that run side by side, one core each."""
    evaluations: PositiveInt = 8
    """How often a training is scored on the validation window; the best checkpoint is kept."""
    patience: PositiveInt | None = None
    """Evaluations without a better score after which a training ends early; empty: never."""
    warm_start: Literal["scratch", "champion"] = "scratch"
    """``champion``: begin with the weights of the agent's champion where its network fits; otherwise from scratch."""
    episode_days: PositiveInt = 126
    """Sessions of a training episode; starts are drawn at random."""
    checkpoint_seconds: PositiveFloat = 15.0
    """Time between two points from which a killed training goes on."""
    max_retries: Annotated[int, Field(ge=0)] = 1
    """How often a failed training is tried again from its last good checkpoint."""
    env_runners: Annotated[int, Field(ge=0)] = 0
    """Ray actors that trade for each training, one core each; 0: the training trades by itself."""
    gpus: Annotated[float, Field(ge=0.0)] = 0.0
    """Share of a GPU that each training learns on; 0: the CPU."""
    ray_address: str = Field(default="local", min_length=1)
    """Address of a Ray cluster; ``local`` starts one on this machine."""

    @model_validator(mode="after")
    def _gpus_can_be_had(self) -> "TrainingSettings":
        if self.gpus > 1.0 and self.gpus != int(self.gpus):
            raise ValueError(f"gpus must be a whole number above 1, or a share of one GPU, got {self.gpus}")
        return self


class MetaSettings(Section):
    """The meta-agent that spreads capital over the agents."""

    env_steps: PositiveInt = 40_000
    """Environment steps of the allocator's training."""
    fusion_weights: dict[str, Annotated[float, Field(ge=0.0)]] = {}
    """Weight per agent of the fixed fusion; agents not named get 1. Normalised over the agents at hand."""
    learning_rate: PositiveFloat = 1e-3
    """Adam step size of the allocator."""
    rebalance_bps: BasisPoints = 10.0
    """Cost of moving one unit of capital between agents while training."""
    risk_profile: str = "balanced"
    """Name in ``risk_profiles``: limits and reward."""


class LaneSettings(Section):
    """A further recipe of an agent, trained every night and traded on paper beside the agent's own: its challenger."""

    agent: str
    """Agent in ``agents`` whose market it trades."""
    recipe: dict[str, Any] = {}
    """Figures of the agent's recipe that differ."""


class WalkForwardSettings(Section):
    """History of every recipe, year by year: trained on what came before, tested on a calendar year."""

    enabled: bool = True
    """Whether the night keeps the history complete; without it no recipe can show the gate a history."""
    max_years: PositiveInt = 5
    """Newest complete calendar years that are tested, as far as enough sessions for a training lie before them."""
    train_days: PositiveInt | None = None
    """Rolling training window of so many trading days; empty: expanding, from the first session on."""
    seeds: PositiveInt = 1
    """Trainings of each year; the one that does best in validation is tested."""


class AnalysisSettings(Section):
    """How much of a held-out result is luck, cost assumption or detail: simulations and attribution of every night."""

    enabled: bool = True
    """Whether the night analyses its results."""
    return_paths: PositiveInt = 2_000
    """Resampled histories of the held-out returns."""
    block_sessions: PositiveInt | None = None
    """Mean length of their blocks; empty: the one that suits the returns' dependence (Politis and White)."""
    market_paths: Annotated[int, Field(ge=0)] = 64
    """Resampled markets that the frozen policy trades; 0: none."""
    market_block_sessions: PositiveInt = 21
    """Mean length of their blocks; a signal that looks back further sees pieces of other times."""
    cost_multiples: tuple[NotNegative, ...] = Field(default=(0.5, 1.0, 2.0, 3.0), min_length=1)
    """Multiples of all costs at which the window is traded again."""
    slippage_bps: tuple[PositiveFloat, ...] = (5.0, 20.0)
    """Basis points by which every fill is worse, on top of the costs."""
    feature_noise: tuple[NotNegative, ...] = (0.02, 0.05, 0.10)
    """Noise in the features that a policy sees, as shares of their standard deviation."""
    noise_paths: PositiveInt = 64
    """Accounts per size of that noise."""
    limit_noise: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.10
    """Share by which each limit is drawn smaller or larger."""
    limit_paths: PositiveInt = 32
    """Accounts under such limits."""
    start_shifts: Annotated[int, Field(ge=0)] = 21
    """Sessions by which an account begins later, from 0 to this."""
    max_lag_loss: Fraction = 0.6
    """Share of the return above cash that a session's delay may cost before it is an alarm."""


class PromotionSettings(Section):
    """When a challenger replaces the champion."""

    policy: Literal["two_key", "guarded", "manual"] = "two_key"
    """``two_key``: another recipe needs history and forward evidence; ``guarded``: the agent's own recipe serves as
    soon as its newest policy passes the guards; ``manual``: as ``two_key``, but a person approves each change."""
    error_per_year: Annotated[float, Field(gt=0.0, le=0.5)] = 0.05
    """First key: error of the test of histories that a year may spend, a twelfth of it in a calendar month."""
    min_history: Annotated[int, Field(ge=60)] = 252
    """First key: sessions of history below which it stays shut; bootstraps of less claim too much."""
    provisional_evidence: Annotated[float, Field(gt=1.0)] = 3.0
    """Second key: value of the e-process on paper returns from which a challenger may take over."""
    min_sessions: PositiveInt = 42
    """Second key: sessions of paper trading beside the champion that are asked for."""
    max_sessions: PositiveInt = 252
    """Sessions beside the champion after which a challenger that has not taken over is dropped."""
    loss_stop: Annotated[float, Field(gt=0.0)] = 8.0
    """A challenger that loses more than so many standard deviations against the champion in a session is dropped."""
    confirmed_evidence: Annotated[float, Field(gt=1.0)] = 20.0
    """Value of the e-process from which a champion counts as proven: confirmed."""
    confirmed_evidence_per_lane: Annotated[float, Field(ge=0.0)] = 7.5
    """The same times the number of challengers, where that is more: of many, one is lucky."""
    rollback_evidence: Annotated[float, Field(gt=1.0)] = 8.0
    """Value of the reversed e-process, counted from the takeover, at which the champion before returns."""
    worse_level: Annotated[float, Field(gt=0.0, lt=0.5)] = 0.05
    """p-value of the paired test on the held-out window below which a new checkpoint counts as clearly worse."""
    min_similarity: Annotated[float, Field(ge=-1.0, le=1.0)] = 0.0
    """Correlation of a new checkpoint's positions with those of the champion's checkpoint that is asked for."""
    min_turnover: Annotated[float, Field(ge=0.0)] = 0.05
    """Turnover (traded value over equity) in the held-out window below which an agent counts as not trading."""
    approval_hours: PositiveFloat = 12.0
    """``manual``: hours for which a person may answer; without an answer the champion stays."""

    @model_validator(mode="after")
    def _thresholds_are_in_order(self) -> "PromotionSettings":
        if self.confirmed_evidence < self.provisional_evidence:
            raise ValueError(
                f"confirmed_evidence must be at least provisional_evidence {self.provisional_evidence:g}, "
                f"got {self.confirmed_evidence:g}"
            )
        if self.max_sessions <= self.min_sessions:
            raise ValueError(f"max_sessions must be above min_sessions {self.min_sessions}, got {self.max_sessions}")
        return self


class ReportSettings(Section):
    """What is written for people every night."""

    tear_sheets: Literal["all", "held_out", "none"] = "all"
    """``all``: a tear sheet of each agent's held-out window and of each lane's walk-forward history, which is drawn
    again only when it changed; ``held_out``: without the histories; ``none``: no tear sheets."""


class DriftSettings(Section):
    """When the drift watch raises an alarm about a champion."""

    sessions: PositiveInt = 63
    """Last sessions that are compared with what was before."""
    moderate_psi: PositiveFloat = 0.10
    """Population stability index from which a feature's drift is told as moderate."""
    large_psi: PositiveFloat = 0.25
    """Population stability index from which it is an alarm, if spans of the training window seldom show as much."""
    deviations: PositiveFloat = 3.0
    """Standard deviations from which other positions than before are an alarm."""
    evidence: Annotated[float, Field(gt=1.0)] = 20.0
    """Evidence (e-value) against the production account earning more than cash from which it is an alarm."""


class RegistrySettings(Section):
    """What `wealtharena models prune` keeps; a version that anything points to stays whatever stands here."""

    keep_versions: PositiveInt = 10
    """Newest versions of each agent that stay."""
    keep_days: PositiveInt = 90
    """Days for which every version stays."""
    keep_rejected_days: PositiveInt | None = None
    """Days after which a candidate that the gate turned down may go, though its decision names it; empty: never."""


class MlflowSettings(Section):
    """Experiment tracking and model registry."""

    tracking_uri: str = ""
    """Server or database; empty: SQLite under the home folder."""
    experiment: str = "wealtharena"
    """Experiment that holds the nights."""
    password: SecretStr | None = None
    """Password of a tracking server, if it asks for one."""


class PrefectSettings(Section):
    """The Prefect server that the runs report to."""

    api_url: str = ""
    """API of a server; empty: PREFECT_API_URL, else a local server on ``port``."""
    port: Annotated[int, Field(gt=0, lt=65_536)] = 4200
    """Port of the local server."""
    autostart: bool = True
    """Starts a local server when none is reachable."""
    work_pool: str = "wealtharena"
    """Process work pool of the deployments."""


# Australian shares at a discount broker: 8 bp and at least A$6 an order.
_ASX = TradeCosts(
    commission_bps=8.0, min_commission=6.0, half_spread_bps=2.0, spread_volatility=0.015, borrow_bps_per_year=75.0
)


class Settings(Section):
    """Everything that a run depends on."""

    profile: str = "quickstart"
    """Name of the profile that the settings came from."""
    seed: int = Field(default=1, ge=0, lt=2**31)
    """Seed of trainings and bootstraps."""
    home: Path = Path("data")
    """Folder of all data that the product writes (WEALTHARENA_HOME)."""
    run: RunSettings = RunSettings()
    """Which night is run."""
    vendors: VendorsSettings = VendorsSettings()
    """Where data comes from."""
    warehouse: WarehouseSettings = WarehouseSettings()
    """Upkeep of the tables."""
    curation: CurationSettings = CurationSettings()
    """Checks on raw data."""
    features: FeatureSettings = FeatureSettings()
    """Observation inputs."""
    windows: WindowSettings = WindowSettings()
    """Training, validation and held-out windows."""
    execution: ExecutionSettings = ExecutionSettings()
    """Accounts and cash."""
    costs: dict[AssetClass, CostSettings] = {
        AssetClass.STOCKS: CostSettings(
            commission_bps=0.0, commission_per_unit=0.005, half_spread_bps=0.7, spread_volatility=0.010,
            borrow_bps_per_year=30.0, exchanges={"XASX": _ASX},
        ),
        AssetClass.CRYPTO: CostSettings(
            commission_bps=10.0, half_spread_bps=1.9, spread_volatility=0.012, borrow_bps_per_year=500.0
        ),
        AssetClass.ETFS: CostSettings(
            commission_bps=0.0, commission_per_unit=0.005, half_spread_bps=1.0, spread_volatility=0.010,
            borrow_bps_per_year=30.0, exchanges={"XASX": _ASX},
        ),
        AssetClass.CURRENCIES: CostSettings(
            commission_bps=0.2, min_commission=2.0, half_spread_bps=0.6, spread_volatility=0.009,
            holding_bps_per_year=50.0,
        ),
        AssetClass.REITS: CostSettings(
            commission_bps=0.0, commission_per_unit=0.005, half_spread_bps=0.8, spread_volatility=0.010,
            borrow_bps_per_year=30.0, exchanges={"XASX": _ASX},
        ),
        AssetClass.COMMODITIES: CostSettings(commission_bps=1.0, half_spread_bps=0.5, spread_volatility=0.010),
    }  # fmt: skip
    """Costs per class."""
    risk: RiskSettings = RiskSettings()
    """Limits enforced by the kernel."""
    reward: RewardSettings = RewardSettings()
    """Weights of the reward's terms."""
    risk_profiles: dict[str, RiskProfile] = {
        "conservative": RiskProfile(
            risk={
                "max_weight": 0.25, "max_gross": 0.8, "max_turnover": 0.5, "min_effective_positions": 4.0,
                "max_volatility": 0.12, "max_var": 0.015, "max_cvar": 0.025, "drawdown_stop": 0.15,
            },
            reward={"variance": 4.0, "drawdown": 0.005},
        ),
        "balanced": RiskProfile(),
        "aggressive": RiskProfile(
            risk={
                "max_weight": 0.5, "max_gross": 1.5, "max_net": 1.5, "max_turnover": 3.0, "concentration": 3.0,
                "max_volatility": None, "max_var": 0.10, "max_cvar": 0.15, "drawdown_stop": 0.5,
            },
            reward={"variance": 0.5},
        ),
    }  # fmt: skip
    """Appetites for risk by name; an agent or the meta-agent names one."""
    agents: dict[str, AgentSettings] = {
        "stocks": AgentSettings(algorithm=Algorithm.PPO),
        "crypto": AgentSettings(
            algorithm=Algorithm.SAC, env_steps=30_000, train_batch_size=256, reward={"downside": 1.0}
        ),
        "etfs": AgentSettings(algorithm=Algorithm.A2C),
        "currencies": AgentSettings(
            algorithm=Algorithm.DQN, env_steps=60_000, train_batch_size=256, learning_rate=1e-4, long_only=False,
            reward={"downside": 1.0},
        ),
        "reits": AgentSettings(algorithm=Algorithm.PPO),
        "commodities": AgentSettings(algorithm=Algorithm.PPO, long_only=False),
    }  # fmt: skip
    """Recipe of each agent; a profile names only what differs from these."""
    training: TrainingSettings = TrainingSettings()
    """How trainings are run."""
    meta: MetaSettings = MetaSettings()
    """The meta-agent."""
    lanes: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")], LaneSettings] = {}
    """Further recipes by name."""
    walk_forward: WalkForwardSettings = WalkForwardSettings()
    """History of every recipe."""
    analysis: AnalysisSettings = AnalysisSettings()
    """Simulations and attribution."""
    promotion: PromotionSettings = PromotionSettings()
    """The gate."""
    report: ReportSettings = ReportSettings()
    """The morning's report."""
    drift: DriftSettings = DriftSettings()
    """The drift watch."""
    registry: RegistrySettings = RegistrySettings()
    """Retention of models."""
    mlflow: MlflowSettings = MlflowSettings()
    """Tracking and registry."""
    prefect: PrefectSettings = PrefectSettings()
    """Orchestration."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Verbosity of the run's log."""

    def risk_of(self, agent: str) -> RiskSettings:
        """The limits of an agent or lane: ``risk`` with those of its profile. ``agent`` is in ``agents``, ``lanes`` or
        ``meta``."""
        return self.risk.model_validate(self.risk.model_dump() | self._profile_of(agent).risk)

    def reward_of(self, agent: str) -> RewardSettings:
        """The reward of an agent: ``reward`` with the weights of its profile, then with its own."""
        own = self.recipe_of(agent).reward
        return self.reward.model_validate(self.reward.model_dump() | self._profile_of(agent).reward | own)

    def recipe_of(self, agent: str) -> AgentSettings:
        """The recipe of an agent or lane, which is in ``agents``, ``lanes`` or ``meta``.

        That of ``meta`` is PPO with the figures of ``meta`` and the defaults of ``AgentSettings`` for the rest.
        """
        if agent in self.agents:
            return self.agents[agent]
        if agent in self.lanes:
            lane = self.lanes[agent]
            return AgentSettings.model_validate(self.agents[lane.agent].model_dump() | lane.recipe)
        own = self.meta
        return AgentSettings(
            algorithm=Algorithm.PPO,
            env_steps=own.env_steps,
            learning_rate=own.learning_rate,
            risk_profile=own.risk_profile,
        )

    def agent_of(self, lane: str) -> str:
        """The agent whose market a lane trades; an agent is its own first lane."""
        return self.lanes[lane].agent if lane in self.lanes else lane

    def lanes_of(self, agent: str) -> tuple[str, ...]:
        """Names of the recipes of an agent: its own, under its own name, then those of ``lanes``."""
        return (agent, *(name for name, lane in self.lanes.items() if lane.agent == agent))

    def _place_of(self, name: str) -> str:
        return f"lanes.{name}" if name in self.lanes else f"agents.{name}"

    def _profile_of(self, agent: str) -> RiskProfile:
        return self.risk_profiles[self.recipe_of(agent).risk_profile]

    @model_validator(mode="after")
    def _lanes_are_recipes(self) -> "Settings":
        for name, lane in self.lanes.items():
            if lane.agent not in self.agents:
                known = ", ".join(self.agents)
                raise ValueError(f"lanes.{name}.agent must be one of {known}, got {lane.agent}")
            if name in (*AssetClass, *self.agents, "meta"):
                raise ValueError(f"lanes.{name} must not have the name of an agent")
            unknown = sorted(set(lane.recipe) - set(AgentSettings.model_fields))
            if unknown:
                raise ValueError(f"lanes.{name}.recipe must name figures of a recipe, got {', '.join(unknown)}")
            try:
                own = self.recipe_of(name)
            except ValidationError as error:
                raise ValueError(f"lanes.{name}.recipe: {error.errors(include_url=False)[0]['msg']}") from None
            same = [other for other in self.lanes_of(lane.agent) if other != name and self.recipe_of(other) == own]
            if same:
                raise ValueError(f"lanes.{name}.recipe must differ from that of {same[0]}")
        return self

    @model_validator(mode="after")
    def _risk_profiles_are_known(self) -> "Settings":
        recipes = (*self.agents, *self.lanes)
        named = {self._place_of(name): self.recipe_of(name).risk_profile for name in recipes}
        for place, profile in {**named, "meta": self.meta.risk_profile}.items():
            if profile not in self.risk_profiles:
                known = ", ".join(self.risk_profiles)
                raise ValueError(f"{place}.risk_profile must be one of {known}, got {profile}")
        for agent in (*recipes, "meta"):
            self.risk_of(agent)
            self.reward_of(agent)
        return self

    @model_validator(mode="after")
    def _engine_can_do_it(self) -> "Settings":
        shadowed = [name for name in (*self.agents, *self.lanes) if self.recipe_of(name).shadow_accounts]
        if self.training.engine == "stock" and shadowed:
            raise ValueError(
                f"{self._place_of(shadowed[0])}.shadow_accounts must not be set with training.engine stock: "
                "RLlib has none"
            )
        return self

    @model_validator(mode="after")
    def _runners_can_share_the_accounts(self) -> "Settings":
        runners = max(1, self.training.env_runners)
        for name in (*self.agents, *self.lanes, "meta"):
            accounts = self.recipe_of(name).num_accounts
            if accounts % runners:
                raise ValueError(
                    f"num_accounts of {name} must be a multiple of training.env_runners ({runners}), got {accounts}"
                )
        return self

    @model_validator(mode="after")
    def _returns_end_with_their_episode(self) -> "Settings":
        for name in (*self.agents, *self.lanes):
            n_step = self.recipe_of(name).n_step
            if n_step > self.training.episode_days:
                raise ValueError(
                    f"{self._place_of(name)}.n_step must be at most training.episode_days "
                    f"({self.training.episode_days}), got {n_step}"
                )
        return self

    @model_validator(mode="after")
    def _costs_cover_every_class(self) -> "Settings":
        missing = [str(name) for name in self.run.asset_classes if name not in self.costs]
        if missing:
            raise ValueError(f"costs must name every class of run.asset_classes, missing {', '.join(missing)}")
        return self

    @model_validator(mode="after")
    def _known_at_is_a_moment(self) -> "Settings":
        known_at = self.run.known_at
        if isinstance(known_at, datetime) and known_at.tzinfo is None:
            raise ValueError(f"run.known_at must have a time zone, got {known_at}")
        return self

    @model_validator(mode="after")
    def _agents_are_known(self) -> "Settings":
        for place, names in (("agents", self.agents), ("meta.fusion_weights", self.meta.fusion_weights)):
            unknown = sorted(set(names) - set(AssetClass))
            if unknown:
                known = ", ".join(AssetClass)
                raise ValueError(f"{place} must name known agents ({known}), got {', '.join(unknown)}")
        return self
