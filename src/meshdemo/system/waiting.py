"""Waiting with a deadline: the only user of tenacity."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

from meshdemo.errors import TimedOut

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def until(
    probe: Callable[[], T | None],
    what: str,
    *,
    timeout: float,
    pause: float = 0.01,
    longest_pause: float = 0.2,
) -> T:
    """Call ``probe`` until it answers something true, and return that.

    ``timeout``, ``pause`` and ``longest_pause`` are in seconds; the pause doubles from one to
    the other. Errors of the probe are not swallowed. Raises TimedOut, which says ``what``.
    """
    if answer := probe():
        return answer
    import tenacity  # noqa: PLC0415 - what is there at once pays nothing, and else there is time

    waiter = tenacity.Retrying(
        retry=tenacity.retry_if_result(lambda answer: not answer),
        stop=tenacity.stop_after_delay(timeout),
        wait=tenacity.wait_exponential(multiplier=pause, max=longest_pause),
    )
    try:
        return cast("T", waiter(probe))
    except tenacity.RetryError as error:
        message = f"waited {round(timeout, 2):g} s for {what}"
        raise TimedOut(message, hint="Give it longer with --timeout.") from error
