from __future__ import annotations

import pytest

from meshdemo.errors import TimedOut
from meshdemo.system import waiting


def test_the_time_waited_is_said_as_a_person_would() -> None:
    with pytest.raises(TimedOut, match=r"waited 0\.01 s for rain"):
        waiting.until(lambda: None, "rain", timeout=0.012_345_678)
