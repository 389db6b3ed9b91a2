"""``meshdemo proxy-url``: any program as the test client."""

from __future__ import annotations

import typer

from meshdemo.cli.invocation import chosen, engine_for
from meshdemo.cli.options import From
from meshdemo.report import Report


def proxy_url(ctx: typer.Context, sender: From = None) -> Report:
    """Print the http_proxy that puts any program in the test client.

    Only the local engine has one.

    Examples:
        http_proxy=$(meshdemo proxy-url) curl -s http://app/env/version
    """
    from meshdemo.report import reports

    url = engine_for(ctx, chosen(ctx, changes=False, sender=sender)).proxy_url()
    return reports.plain(url, proxyUrl=url)
