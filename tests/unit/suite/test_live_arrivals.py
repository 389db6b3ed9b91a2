"""What is known of copies in a mesh that is up, by what sidecars say."""

from __future__ import annotations

import pytest

from meshdemo.engines.access_log import Account
from meshdemo.engines.results import Observed
from meshdemo.suite import judging, live_arrivals
from meshdemo.verdict.traffic import Reply


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ({"account": Account(copies=())}, ""),
        ({"account": Account(), "arrivals": ()}, ""),
        ({"hidden": "no HTTP", "unseen": True}, ""),
        ({"account": Account()}, judging.COPIES_UNTOLD),
        ({"hidden": "may not be read"}, "may not be read"),
    ],
)
def test_where_nobody_tells_of_copies_it_is_said_why(what: dict[str, object], why: str) -> None:
    observed = Observed(Reply(200), 0.1, **what)  # type: ignore[arg-type]
    assert live_arrivals.why_copies_are_hidden(observed) == why
