"""The fields of a DestinationRule: all of the spec is honoured or refused."""

from __future__ import annotations

from meshdemo.engines.local.fields.types import (
    BOOLEAN,
    TEXT,
    TEXT_MAP,
    TEXTS,
    UINT32,
    Choice,
    Duration,
    Integer,
    ListOf,
    MapOf,
    Number,
    Percentage,
    Port,
    Record,
    honoured,
    unsupported,
    without_effect,
)

COUNT = Integer(0)
UNSIGNED = Integer(0, UINT32)
PERCENT = Integer(0, 100)
LARGEST_TABLE = 5_000_010
"""Istio takes sizes of maglev tables below 5,000,011."""

SIMPLE = Choice(
    ("UNSPECIFIED", "LEAST_CONN", "RANDOM", "PASSTHROUGH", "ROUND_ROBIN", "LEAST_REQUEST")
)

_COOKIE = Record(
    {
        "name": honoured(TEXT, required=True),
        "path": honoured(TEXT),
        "ttl": honoured(Duration(least=None)),
        "attributes": honoured(
            ListOf(Record({"name": honoured(TEXT, required=True), "value": honoured(TEXT)}))
        ),
    }
)

CONSISTENT_HASH = Record(
    {
        "httpHeaderName": honoured(TEXT),
        "httpCookie": honoured(_COOKIE),
        "useSourceIp": honoured(BOOLEAN),
        "httpQueryParameterName": honoured(TEXT),
        "ringHash": honoured(Record({"minimumRingSize": honoured(UNSIGNED)})),
        "maglev": honoured(Record({"tableSize": honoured(Integer(0, LARGEST_TABLE))})),
        "minimumRingSize": honoured(UNSIGNED),
    },
    one_of=(
        ("httpHeaderName", "httpCookie", "useSourceIp", "httpQueryParameterName"),
        ("ringHash", "maglev"),
    ),
)

_FAILOVER = ListOf(Record({"from": honoured(TEXT), "to": honoured(TEXT)}))

LOCALITY = Record(
    {
        "distribute": honoured(
            ListOf(Record({"from": honoured(TEXT), "to": honoured(MapOf(UNSIGNED))}))
        ),
        "failover": honoured(_FAILOVER),
        "failoverPriority": honoured(TEXTS),
        "enabled": honoured(BOOLEAN),
    }
)

ZONE_AWARE = Record(
    {
        "failover": honoured(_FAILOVER),
        "failoverPriority": honoured(TEXTS),
        "enabled": honoured(BOOLEAN),
        "minClusterSize": honoured(Integer(1, UINT32)),
    }
)

WARMUP = Record(
    {
        "duration": honoured(Duration(), required=True),
        "minimumPercent": honoured(Percentage(least=0)),
        "aggression": honoured(Number()),
    }
)

BACKEND_UTILIZATION = Record(
    {
        "errorUtilizationPenaltyPercent": honoured(UNSIGNED),
        "metricNamesForComputingUtilization": honoured(TEXTS),
        "weightExpirationPeriod": honoured(TEXT),
        "weightStabilizationPeriod": honoured(TEXT),
        "weightUpdatePeriod": honoured(TEXT),
    }
)

LOAD_BALANCER = Record(
    {
        # A warm-up has no effect: a change of a service's pods replaces them all (see
        # ``Upstreams.add``), so that none is ever newer than another.
        "simple": honoured(SIMPLE),
        "consistentHash": honoured(CONSISTENT_HASH),
        "backendUtilization": unsupported(
            BACKEND_UTILIZATION, because="it has no meaning to the Istio that it follows"
        ),
        "localityLbSetting": honoured(LOCALITY),
        "zoneAwareLbSetting": honoured(ZONE_AWARE),
        "warmup": without_effect(WARMUP),
        "warmupDurationSecs": without_effect(Duration()),
    },
    one_of=(("simple", "consistentHash", "backendUtilization"),),
)

CONNECTION_POOL = Record(
    {
        "tcp": honoured(
            Record(
                {
                    "maxConnections": honoured(COUNT),
                    "connectTimeout": honoured(Duration()),
                    "maxConnectionDuration": honoured(Duration()),
                    "idleTimeout": honoured(Duration(least=0)),
                    "tcpKeepalive": honoured(
                        Record(
                            {
                                "probes": honoured(UNSIGNED),
                                "time": honoured(Duration()),
                                "interval": honoured(Duration()),
                            }
                        )
                    ),
                }
            )
        ),
        "http": honoured(
            Record(
                {
                    "http1MaxPendingRequests": honoured(COUNT),
                    "http2MaxRequests": honoured(COUNT),
                    "maxRequestsPerConnection": honoured(COUNT),
                    "maxRetries": honoured(COUNT),
                    "idleTimeout": honoured(Duration()),
                    "h2UpgradePolicy": honoured(Choice(("DEFAULT", "DO_NOT_UPGRADE", "UPGRADE"))),
                    "useClientProtocol": honoured(BOOLEAN),
                    "maxConcurrentStreams": honoured(COUNT),
                    "http2KeepAlive": honoured(
                        Record(
                            {
                                "interval": honoured(Duration(), required=True),
                                "timeout": honoured(Duration(), required=True),
                            }
                        )
                    ),
                }
            )
        ),
    }
)

OUTLIER_DETECTION = Record(
    {
        "consecutiveErrors": honoured(Integer()),
        "consecutive5xxErrors": honoured(UNSIGNED),
        "consecutiveGatewayErrors": honoured(UNSIGNED),
        "consecutiveLocalOriginFailures": honoured(UNSIGNED),
        "splitExternalLocalOriginErrors": honoured(BOOLEAN),
        "interval": honoured(Duration()),
        "baseEjectionTime": honoured(Duration()),
        "maxEjectionPercent": honoured(PERCENT),
        "minHealthPercent": honoured(PERCENT),
        "outlierDetectionHttpErrorCodes": honoured(ListOf(Integer(100, 599))),
    }
)

TLS = Record(
    {
        "mode": honoured(
            Choice(("DISABLE", "SIMPLE", "MUTUAL", "ISTIO_MUTUAL"), idle=("ISTIO_MUTUAL",))
        ),
        "clientCertificate": honoured(TEXT),
        "privateKey": honoured(TEXT),
        "caCertificates": honoured(TEXT),
        "caCrl": honoured(TEXT),
        "credentialName": unsupported(TEXT, because="its Secret comes from istiod"),
        "subjectAltNames": honoured(TEXTS),
        "sni": honoured(TEXT),
        "insecureSkipVerify": honoured(BOOLEAN),
    }
)

_PORT_POLICY = {
    "loadBalancer": honoured(LOAD_BALANCER),
    "connectionPool": honoured(CONNECTION_POOL),
    "outlierDetection": honoured(OUTLIER_DETECTION),
    "tls": honoured(TLS),
}

TRAFFIC_POLICY = Record(
    {
        **_PORT_POLICY,
        "portLevelSettings": honoured(
            ListOf(
                Record({**_PORT_POLICY, "port": honoured(Record({"number": honoured(UNSIGNED)}))})
            )
        ),
        "tunnel": honoured(
            Record(
                {
                    "protocol": honoured(TEXT),
                    "targetHost": honoured(TEXT, required=True),
                    "targetPort": honoured(Port(), required=True),
                }
            )
        ),
        "proxyProtocol": honoured(Record({"version": honoured(Choice(("V1", "V2")))})),
        "retryBudget": honoured(
            Record(
                {
                    "percent": honoured(Percentage(least=0)),
                    "minRetryConcurrency": honoured(UNSIGNED),
                    "budgetInterval": honoured(Duration(least=None)),
                }
            )
        ),
    }
)

DESTINATION_RULE_SPEC = Record(
    {
        "host": honoured(TEXT, required=True),
        "exportTo": honoured(TEXTS),
        "trafficPolicy": honoured(TRAFFIC_POLICY),
        "subsets": honoured(
            ListOf(
                Record(
                    {
                        "name": honoured(TEXT, required=True),
                        "labels": honoured(TEXT_MAP),
                        "trafficPolicy": honoured(TRAFFIC_POLICY),
                    }
                )
            )
        ),
        "workloadSelector": honoured(Record({"matchLabels": honoured(TEXT_MAP)})),
    }
)
