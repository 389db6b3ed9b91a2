from __future__ import annotations

from meshdemo.engines.upstreams import Ejected, ejected

V1 = "outbound|80|v1|app.shop.svc.cluster.local"
PAGE = f"""\
{V1}::default_priority::max_connections::4294967295
{V1}::10.0.0.1:80::cx_active::1
{V1}::10.0.0.1:80::health_flags::/failed_outlier_check
{V1}::[fd00::1]:80::health_flags::/failed_eds_health/failed_outlier_check
{V1}::10.0.0.2:80::health_flags::healthy
"""


def test_what_is_ejected_is_read_from_the_page_of_clusters() -> None:
    assert ejected(PAGE) == (Ejected(V1, "10.0.0.1:80"), Ejected(V1, "[fd00::1]:80"))
