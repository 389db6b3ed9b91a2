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
    later,
    yes,
)

COUNT = Integer(0)
UNSIGNED = Integer(0, UINT32)
PERCENT = Integer(0, 100)
LARGEST_TABLE = 5_000_010

SIMPLE = Choice(
    ("UNSPECIFIED", "LEAST_CONN", "RANDOM", "PASSTHROUGH", "ROUND_ROBIN", "LEAST_REQUEST")
)

_COOKIE = Record(
    {
        "name": yes(TEXT, required=True),
        "path": yes(TEXT),
        "ttl": yes(Duration(least=None)),
        "attributes": yes(ListOf(Record({"name": yes(TEXT, required=True), "value": yes(TEXT)}))),
    }
)

CONSISTENT_HASH = Record(
    {
        "httpHeaderName": yes(TEXT),
        "httpCookie": yes(_COOKIE),
        "useSourceIp": yes(BOOLEAN),
        "httpQueryParameterName": yes(TEXT),
        "ringHash": yes(Record({"minimumRingSize": yes(UNSIGNED)})),
        "maglev": yes(Record({"tableSize": yes(Integer(0, LARGEST_TABLE))})),
        "minimumRingSize": yes(UNSIGNED),
    },
    one_of=(
        ("httpHeaderName", "httpCookie", "useSourceIp", "httpQueryParameterName"),
        ("ringHash", "maglev"),
    ),
)

_FAILOVER = ListOf(Record({"from": yes(TEXT), "to": yes(TEXT)}))

LOCALITY = Record(
    {
        "distribute": yes(ListOf(Record({"from": yes(TEXT), "to": yes(MapOf(UNSIGNED))}))),
        "failover": yes(_FAILOVER),
        "failoverPriority": yes(TEXTS),
        "enabled": yes(BOOLEAN),
    }
)

ZONE_AWARE = Record(
    {
        "failover": yes(_FAILOVER),
        "failoverPriority": yes(TEXTS),
        "enabled": yes(BOOLEAN),
        "minClusterSize": yes(Integer(1, UINT32)),
    }
)

WARMUP = Record(
    {
        "duration": yes(Duration(), required=True),
        "minimumPercent": yes(Percentage(least=0)),
        "aggression": yes(Number()),
    }
)

BACKEND_UTILIZATION = Record(
    {
        "errorUtilizationPenaltyPercent": yes(UNSIGNED),
        "metricNamesForComputingUtilization": yes(TEXTS),
        "weightExpirationPeriod": yes(TEXT),
        "weightStabilizationPeriod": yes(TEXT),
        "weightUpdatePeriod": yes(TEXT),
    }
)

LOAD_BALANCER = Record(
    {
        "simple": yes(SIMPLE),
        "consistentHash": later(CONSISTENT_HASH),
        "backendUtilization": later(BACKEND_UTILIZATION),
        "localityLbSetting": later(LOCALITY),
        "zoneAwareLbSetting": later(ZONE_AWARE),
        "warmup": later(WARMUP),
        "warmupDurationSecs": later(Duration()),
    },
    one_of=(("simple", "consistentHash", "backendUtilization"),),
)

CONNECTION_POOL = Record(
    {
        "tcp": yes(
            Record(
                {
                    "maxConnections": yes(COUNT),
                    "connectTimeout": yes(Duration()),
                    "maxConnectionDuration": yes(Duration()),
                    "idleTimeout": yes(Duration(least=0)),
                    "tcpKeepalive": yes(
                        Record(
                            {
                                "probes": yes(UNSIGNED),
                                "time": yes(Duration()),
                                "interval": yes(Duration()),
                            }
                        )
                    ),
                }
            )
        ),
        "http": yes(
            Record(
                {
                    "http1MaxPendingRequests": yes(COUNT),
                    "http2MaxRequests": yes(COUNT),
                    "maxRequestsPerConnection": yes(COUNT),
                    "maxRetries": yes(COUNT),
                    "idleTimeout": yes(Duration()),
                    "h2UpgradePolicy": yes(Choice(("DEFAULT", "DO_NOT_UPGRADE", "UPGRADE"))),
                    "useClientProtocol": yes(BOOLEAN),
                    "maxConcurrentStreams": yes(COUNT),
                    "http2KeepAlive": yes(
                        Record(
                            {
                                "interval": yes(Duration(), required=True),
                                "timeout": yes(Duration(), required=True),
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
        "consecutiveErrors": yes(Integer()),
        "consecutive5xxErrors": yes(UNSIGNED),
        "consecutiveGatewayErrors": yes(UNSIGNED),
        "consecutiveLocalOriginFailures": yes(UNSIGNED),
        "splitExternalLocalOriginErrors": yes(BOOLEAN),
        "interval": yes(Duration()),
        "baseEjectionTime": yes(Duration()),
        "maxEjectionPercent": yes(PERCENT),
        "minHealthPercent": yes(PERCENT),
        "outlierDetectionHttpErrorCodes": yes(ListOf(Integer(100, 599))),
    }
)

TLS = Record(
    {
        "mode": yes(Choice(("DISABLE", "SIMPLE", "MUTUAL", "ISTIO_MUTUAL"))),
        "clientCertificate": yes(TEXT),
        "privateKey": yes(TEXT),
        "caCertificates": yes(TEXT),
        "caCrl": yes(TEXT),
        "credentialName": yes(TEXT),
        "subjectAltNames": yes(TEXTS),
        "sni": yes(TEXT),
        "insecureSkipVerify": yes(BOOLEAN),
    }
)

_PORT_POLICY = {
    "loadBalancer": yes(LOAD_BALANCER),
    "connectionPool": later(CONNECTION_POOL),
    "outlierDetection": later(OUTLIER_DETECTION),
    "tls": later(TLS),
}

TRAFFIC_POLICY = Record(
    {
        **_PORT_POLICY,
        "portLevelSettings": later(
            ListOf(Record({**_PORT_POLICY, "port": yes(Record({"number": yes(UNSIGNED)}))}))
        ),
        "tunnel": later(
            Record(
                {
                    "protocol": yes(TEXT),
                    "targetHost": yes(TEXT, required=True),
                    "targetPort": yes(Port(), required=True),
                }
            )
        ),
        "proxyProtocol": later(Record({"version": yes(Choice(("V1", "V2")))})),
        "retryBudget": later(
            Record(
                {
                    "percent": yes(Percentage(least=0)),
                    "minRetryConcurrency": yes(UNSIGNED),
                    "budgetInterval": yes(Duration(least=None)),
                }
            )
        ),
    }
)

DESTINATION_RULE_SPEC = Record(
    {
        "host": yes(TEXT, required=True),
        "exportTo": yes(TEXTS),
        "trafficPolicy": yes(TRAFFIC_POLICY),
        "subsets": yes(
            ListOf(
                Record(
                    {
                        "name": yes(TEXT, required=True),
                        "labels": yes(TEXT_MAP),
                        "trafficPolicy": yes(TRAFFIC_POLICY),
                    }
                )
            )
        ),
        "workloadSelector": yes(Record({"matchLabels": yes(TEXT_MAP)})),
    }
)
