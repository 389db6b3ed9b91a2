"""From answers to a verdict: what is expected, what was counted, and what that proves."""
