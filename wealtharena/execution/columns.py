"""Places in the kernel's arrays; compiled code takes them for constants."""

ACCOUNT_COLUMNS = 4
"""Observation columns after the features: position, observed mask, gross exposure, drawdown."""

# MarketArrays.prices. A session reads from CLOSE of the row that it knows up to CLOSE of the next: in this order, one
# block of memory.
OPEN, UNITS, CLOSE, OBSERVED, HALF_SPREAD, IMPACT, CAPACITY = range(7)
NUM_FIELDS = 7

# MarketArrays.rates
COMMISSION, PER_UNIT, MIN_COMMISSION, BORROW, HOLDING = range(5)
NUM_RATES = 5

# MarketArrays.events
SPLIT, DIVIDEND, DELISTED = range(3)
NUM_EVENTS = 3

# MarketArrays.overnight
DAYS, CASH_RATE, EVENTFUL, ALL_TRADABLE = range(4)
NUM_OVERNIGHT = 4

LANES = 8
"""Assets that the processor works on at once: rows of the kernel's arrays are padded to a multiple, so that no loop has
a remainder. What stands in the padding is 0 and stays so."""


def padded(num_assets: int) -> int:
    """``num_assets`` up to the next multiple of ``LANES``."""
    return -(-num_assets // LANES) * LANES
