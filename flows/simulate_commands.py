"""`wealtharena simulate`: the simulated market, and how it is fitted to real bars."""

from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

from flows import options, terminal
from wealtharena.core.asset_class import AssetClass
from wealtharena.core.errors import SettingsError, unknown_name
from wealtharena.settings import load_settings

_FIRST_DAY, _LAST_DAY = date(1970, 1, 1), date(2100, 12, 31)

simulate_app = typer.Typer(no_args_is_help=True, help="Fit the simulated market to real bars, and see how close it is.")


@simulate_app.callback()
def simulate() -> None:
    """Fit the simulated market to real bars, and see how close it is."""


@simulate_app.command()
def calibrate(
    data: Annotated[Path, typer.Option("--data", metavar="DIR", help="Folder with market/<class>/<SYMBOL>.csv.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for page, table and constants.")],
    classes: options.Classes = None,
    exchanges: options.Exchanges = None,
    start: Annotated[
        datetime | None, typer.Option("--start", formats=["%Y-%m-%d"], help="First day. Default: all there is.")
    ] = None,
    end: Annotated[
        datetime | None, typer.Option("--end", formats=["%Y-%m-%d"], help="Last day. Default: all there is.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the simulated markets and of the bootstrap.")] = 1,
    markets: Annotated[int, typer.Option("--markets", min=2, help="Simulated markets to compare with.")] = 20,
    draws: Annotated[int, typer.Option("--draws", min=10, help="Bootstrap samples of the real bars.")] = 200,
    overrides: options.Overrides = None,
    as_json: options.AsJson = False,
) -> None:
    """Fit the simulator's constants to files of daily bars and compare the stylised facts of both.

    Examples:

      wealtharena simulate calibrate --data ../market-data --out calibration

      wealtharena simulate calibrate --data ../market-data --classes stocks --exchanges ASX --out calibration
    """
    with terminal.friendly_errors(as_json):
        chosen = [_asset_class(name) for name in classes or list(AssetClass)]
        settings = load_settings("files", [*(overrides or []), f"vendors.files.root={data}"])
        from flows.simulate_tables import print_calibration
        from tasks.calibration import calibrate as fit

        first, last = start.date() if start else _FIRST_DAY, end.date() if end else _LAST_DAY
        page, files = fit(settings, chosen, exchanges or [], first, last, seed, markets, draws, out)
        print_calibration(page, files, as_json)


def _asset_class(name: str) -> AssetClass:
    known = [str(item) for item in AssetClass]
    if name not in known:
        raise SettingsError(unknown_name("asset class", name, known))
    return AssetClass(name)
