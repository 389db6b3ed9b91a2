"""Tests of a share that hold whenever one looks, and the interval of the shares that pass them.

Sources: A. Wald, "Sequential Tests of Statistical Hypotheses", Annals of Mathematical Statistics
16 (1945), for the ratio of likelihoods and its mixtures by weights; J. Ville, "Etude critique de la
notion de collectif" (1939), for the bound at any time; H. Robbins, "Statistical Methods Related to
the Law of the Iterated Logarithm", ibid. 41 (1970), for intervals from them.
"""

from __future__ import annotations

from math import exp, fsum, inf, lgamma, log, log1p
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_HALVINGS = 60
"""Of the range of shares: to the last bit of a float."""


def log_ratio(count: float, total: float, share: float, expected: float) -> float:
    """Give the logarithm of how much likelier answers are by a share than by the expected one.

    It is ever below ``-log(1/a)`` with probability a at most where that share is real (Ville's
    inequality), or one beyond it: the ratio moves monotonously with the count. The expected share
    is neither 0 nor 1.
    """
    return _log_likelihood(count, total, share) - _log_likelihood(count, total, expected)


def divergence(share: float, expected: float) -> float:
    """Give how much one answer tells on average if a share is real (Kullback and Leibler)."""
    return log_ratio(share, 1, share, expected)


def log_evidence(count: int, total: int, share: float, margin: float) -> float:
    """Give the logarithm of how much evidence the answers are against a share.

    That is how much likelier they are than by this share if another one is drawn first: in a
    quarter of the cases the one a margin below, in a quarter the one a margin above (both cut at 0
    and 1), and else any, each as likely as the other. If the share is the real one, it is ever
    above ``log(1/a)`` with probability a at most (Ville's inequality).
    """
    own = _log_likelihood(count, total, share)
    if own == -inf:
        return inf
    below = _log_likelihood(count, total, max(share - margin, 0.0))
    above = _log_likelihood(count, total, min(share + margin, 1.0))
    # The integral of s^count (1 - s)^(total - count) over all s.
    any_share = lgamma(count + 1) + lgamma(total - count + 1) - lgamma(total + 2)
    terms = (log(1 / 4) + below, log(1 / 4) + above, log(1 / 2) + any_share)
    most = max(terms)
    return most + log(fsum(exp(term - most) for term in terms)) - own


def interval(count: int, total: int, margin: float, error_rate: float) -> tuple[float, float]:
    """Give the shares that fit a count, whenever one looks: a confidence sequence.

    They are those against which the evidence is less than 1/error_rate.
    """
    if not total:
        return 0.0, 1.0
    limit = -log(error_rate)

    def fits(share: float) -> bool:
        return log_evidence(count, total, share, margin) < limit

    middle = count / total
    low = 0.0 if fits(0.0) else edge(fits, inside=middle, outside=0.0)
    high = 1.0 if fits(1.0) else edge(fits, inside=middle, outside=1.0)
    return low, high


def edge(fits: Callable[[float], bool], inside: float, outside: float) -> float:
    """Find where what fits ends, between a share that does and one that does not, outwards."""
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        if fits(middle):
            inside = middle
        else:
            outside = middle
    return outside


def _log_likelihood(count: float, total: float, share: float) -> float:
    """Give the logarithm of the probability of answers in this order."""
    return _times(count, log(share) if share else -inf) + _times(
        total - count, log1p(-share) if share < 1 else -inf
    )


def _times(count: float, logarithm: float) -> float:
    return count * logarithm if count else 0.0
