"""Asks until there is an answer or a reason not to ask again: retries by kind of failure, pauses, a circuit breaker."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from wealtharena.core.errors import VendorError, VendorRateLimited
from wealtharena.core.market_data import Outcome
from wealtharena.settings import AccessSettings
from wealtharena.vendors.context import VendorContext
from wealtharena.vendors.failures import WORTH_A_RETRY, Failure, FetchFailed, transport_failure
from wealtharena.vendors.quotas import Quota
from wealtharena.vendors.redaction import redact

_LOG = logging.getLogger(__name__)
Answer = TypeVar("Answer")


class Attempts:
    """Every question that one run puts to one vendor.

    Remembers what the run has learnt: a vendor that asks for a pause beyond ``max_wait_s``, that refuses the key or
    that failed ``max_failures`` symbols one after another is left alone for the rest of the run.
    """

    def __init__(
        self,
        vendor: str,
        access: AccessSettings,
        quota: Quota,
        context: VendorContext,
        classify: Callable[[Exception], Failure | None] = lambda error: None,
    ) -> None:
        """
        Args:
            classify: what an exception of the vendor's client means; None: what `transport_failure` says of it, else
                the answer could not be used (``REJECTED``).
        """
        self._vendor = vendor
        self._access = access
        self._quota = quota
        self._context = context
        self._classify = classify
        self._secrets = (access.api_key.get_secret_value(),) if access.api_key else ()
        self._stopped: Failure | None = None
        self._failures_in_a_row = 0

    def fetch(self, symbol: str, ask: Callable[[], Answer]) -> Answer | Failure:
        """The answer, or the failure of the last attempt, with a reason that holds no secret.

        Args:
            ask: puts the question once; raises `FetchFailed` or an exception of the client. It must not be answered
                from a cache when it is called again.

        Raises:
            VendorError: the quota file cannot be used; no symbol of any vendor could be counted.
        """
        if self._stopped:
            return self._stopped
        attempt, waited_s = 1, 0.0
        while isinstance(answer := self._ask_once(ask), Failure):
            if answer.retry_at is not None:
                self._quota.block_until(answer.retry_at, answer.reason)
            pause_s = self._pause_s(answer, attempt)
            final = answer.outcome not in WORTH_A_RETRY or answer.stops_vendor
            if final or attempt == self._access.max_attempts or waited_s + pause_s > self._access.max_wait_s:
                return self._given_up(symbol, answer, attempt)
            _LOG.info("%s, %s: attempt %d: %s; again in %.1f s", self._vendor, symbol, attempt, answer.reason, pause_s)
            self._context.sleep(pause_s)
            attempt, waited_s = attempt + 1, waited_s + pause_s
        self._failures_in_a_row = 0
        return answer

    def _ask_once(self, ask: Callable[[], Answer]) -> Answer | Failure:
        try:
            return ask()
        except FetchFailed as error:
            failure = error.failure
        except VendorRateLimited as error:
            # Our own quota, which needs no block beside it: every process counts by the same file.
            failure = Failure(Outcome.RATE_LIMITED, str(error), stops_vendor=True)
        except VendorError:
            raise
        except Exception as error:  # What a client raises is not known in advance; nothing of it may end the run.
            failure = self._classify(error) or transport_failure(error) or _unusable(error)
        return replace(failure, reason=redact(failure.reason, self._secrets))

    def _pause_s(self, failure: Failure, attempt: int) -> float:
        pause_s = self._access.backoff_s * 2.0 ** (attempt - 1)
        if failure.retry_at is None:
            return min(pause_s, self._access.max_wait_s)
        return max(pause_s, failure.retry_at.timestamp() - self._context.clock())

    def _given_up(self, symbol: str, failure: Failure, attempts: int) -> Failure:
        if failure.outcome not in WORTH_A_RETRY and not failure.stops_vendor:
            self._failures_in_a_row = 0
            return failure
        if attempts > 1:
            failure = replace(failure, reason=f"{failure.reason} ({attempts} attempts)")
        self._failures_in_a_row += 1
        self._remember(failure)
        _LOG.warning("%s, %s: %s", self._vendor, symbol, failure.reason)
        return failure

    def _remember(self, failure: Failure) -> None:
        latest = self._context.clock() + self._access.max_wait_s
        too_long = failure.retry_at is not None and failure.retry_at.timestamp() > latest
        if failure.stops_vendor or too_long:
            self._stopped = replace(failure, stops_vendor=True)
        elif self._failures_in_a_row >= self._access.max_failures:
            count = self._failures_in_a_row
            reason = f"not asked: {count} symbols failed one after another, the last with: {failure.reason}"
            self._stopped = replace(failure, reason=reason, stops_vendor=True)


def next_utc_midnight(context: VendorContext) -> datetime:
    """Start of the next day, UTC: when a vendor that says "the day's quota is used" is asked again."""
    today = datetime.fromtimestamp(context.clock(), UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today + timedelta(days=1)


def _unusable(error: Exception) -> Failure:
    return Failure(Outcome.REJECTED, f"an answer that cannot be used: {type(error).__name__}: {error}")
