"""The fields of a VirtualService: all of the spec is honoured or refused."""

from __future__ import annotations

from meshdemo.engines.local.fields.types import (
    BOOLEAN,
    TEXT,
    TEXT_MAP,
    TEXTS,
    Base64,
    Choice,
    Duration,
    Integer,
    ListOf,
    MapOf,
    Percentage,
    Port,
    Record,
    honoured,
    unsupported,
)
from meshdemo.rules.virtual_services import GRPC_STATUS

CORS_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE", "*")

STRING_MATCH = Record(
    {"exact": honoured(TEXT), "prefix": honoured(TEXT), "regex": honoured(TEXT)},
    one_of=(("exact", "prefix", "regex"),),
)

DESTINATION = Record(
    {
        "host": honoured(TEXT, required=True),
        "subset": honoured(TEXT),
        "port": honoured(Record({"number": honoured(Port())})),
    }
)

_OPERATIONS = Record(
    {"set": honoured(TEXT_MAP), "add": honoured(TEXT_MAP), "remove": honoured(TEXTS)}
)
HEADERS = Record({"request": honoured(_OPERATIONS), "response": honoured(_OPERATIONS)})

WEIGHT = Integer(0)

ROUTE_DESTINATION = Record(
    {
        "destination": honoured(DESTINATION, required=True),
        "weight": honoured(WEIGHT),
        "headers": honoured(HEADERS),
    }
)

HTTP_MATCH = Record(
    {
        "name": honoured(TEXT),
        "uri": honoured(STRING_MATCH),
        "scheme": honoured(STRING_MATCH),
        "method": honoured(STRING_MATCH),
        "authority": honoured(STRING_MATCH),
        "headers": honoured(MapOf(STRING_MATCH)),
        "withoutHeaders": honoured(MapOf(STRING_MATCH)),
        "queryParams": honoured(MapOf(STRING_MATCH)),
        "ignoreUriCase": honoured(BOOLEAN),
        "port": honoured(Port(zero=True)),
        "sourceLabels": honoured(TEXT_MAP),
        "sourceNamespace": honoured(TEXT),
        "gateways": honoured(TEXTS),
        "statPrefix": honoured(TEXT),
    }
)

_PERCENTAGE = Record({"value": honoured(Percentage())})

FAULT = Record(
    {
        "abort": honoured(
            Record(
                {
                    "percentage": honoured(_PERCENTAGE),
                    "httpStatus": honoured(Integer(200, 600)),
                    "grpcStatus": honoured(Choice(GRPC_STATUS)),
                    # Istio's schema knows it, its admission refuses it.
                    "http2Error": unsupported(TEXT),
                },
                one_of=(("httpStatus", "grpcStatus", "http2Error"),),
            )
        ),
        "delay": honoured(
            Record(
                {
                    "percentage": honoured(_PERCENTAGE),
                    "percent": honoured(Integer()),
                    "fixedDelay": honoured(Duration()),
                    "exponentialDelay": unsupported(Duration()),  # as http2Error
                },
                one_of=(("fixedDelay", "exponentialDelay"),),
            )
        ),
    }
)

REDIRECT = Record(
    {
        "uri": honoured(TEXT),
        "prefixRewrite": honoured(TEXT),
        "authority": honoured(TEXT),
        "scheme": honoured(TEXT),
        "port": honoured(Port(zero=True)),
        "derivePort": honoured(Choice(("FROM_PROTOCOL_DEFAULT", "FROM_REQUEST_PORT"))),
        "redirectCode": honoured(Integer(0)),
    },
    one_of=(("port", "derivePort"),),
)

REWRITE = Record(
    {
        "uri": honoured(TEXT),
        "authority": honoured(TEXT),
        "uriRegexRewrite": honoured(Record({"match": honoured(TEXT), "rewrite": honoured(TEXT)})),
    }
)

RETRIES = Record(
    {
        "attempts": honoured(Integer(0)),
        "perTryTimeout": honoured(Duration()),
        "retryOn": honoured(TEXT),
        "retryRemoteLocalities": honoured(BOOLEAN),
        "retryIgnorePreviousHosts": honoured(BOOLEAN),
        "backoff": honoured(Duration()),
    }
)

CORS = Record(
    {
        "allowOrigin": honoured(TEXTS),
        "allowOrigins": honoured(ListOf(STRING_MATCH)),
        "allowMethods": honoured(ListOf(Choice(CORS_METHODS))),
        "allowHeaders": honoured(TEXTS),
        "exposeHeaders": honoured(TEXTS),
        "maxAge": honoured(Duration()),
        "allowCredentials": honoured(BOOLEAN),
        "unmatchedPreflights": honoured(Choice(("UNSPECIFIED", "FORWARD", "IGNORE"))),
    }
)

_MIRROR_PERCENT = Record({"value": honoured(Percentage(least=0))})

MIRRORS = ListOf(
    Record(
        {
            "destination": honoured(DESTINATION, required=True),
            "percentage": honoured(_MIRROR_PERCENT),
        }
    )
)

DIRECT_RESPONSE = Record(
    {
        "status": honoured(Integer(200, 600), required=True),
        "body": honoured(
            Record(
                {"string": honoured(TEXT), "bytes": honoured(Base64())},
                one_of=(("string", "bytes"),),
            )
        ),
    }
)

HTTP_ROUTE = Record(
    {
        "name": honoured(TEXT),
        "match": honoured(ListOf(HTTP_MATCH)),
        "route": honoured(ListOf(ROUTE_DESTINATION)),
        "redirect": honoured(REDIRECT),
        "rewrite": honoured(REWRITE),
        "headers": honoured(HEADERS),
        "timeout": honoured(Duration()),
        "fault": honoured(FAULT),
        "retries": honoured(RETRIES),
        "mirror": honoured(DESTINATION),
        "mirrors": honoured(MIRRORS),
        "mirrorPercentage": honoured(_MIRROR_PERCENT),
        "mirrorPercent": honoured(Integer(0, 100)),
        "mirror_percent": honoured(Integer(0, 100)),
        "corsPolicy": honoured(CORS),
        "directResponse": honoured(DIRECT_RESPONSE),
        "delegate": honoured(Record({"name": honoured(TEXT), "namespace": honoured(TEXT)})),
    }
)

_L4_MATCH = {
    "destinationSubnets": honoured(TEXTS),
    "port": honoured(Port(zero=True)),
    "sourceLabels": honoured(TEXT_MAP),
    "sourceNamespace": honoured(TEXT),
    "gateways": honoured(TEXTS),
}
_L4_ROUTE = ListOf(
    Record({"destination": honoured(DESTINATION, required=True), "weight": honoured(WEIGHT)}),
)

TCP_ROUTE = Record(
    {
        "match": honoured(ListOf(Record({**_L4_MATCH, "sourceSubnet": honoured(TEXT)}))),
        "route": honoured(_L4_ROUTE),
    }
)

TLS_ROUTE = Record(
    {
        "match": honoured(
            ListOf(Record({**_L4_MATCH, "sniHosts": honoured(TEXTS, required=True)})), required=True
        ),
        "route": honoured(_L4_ROUTE),
    }
)

VIRTUAL_SERVICE_SPEC = Record(
    {
        "hosts": honoured(TEXTS),
        "gateways": honoured(TEXTS),
        "exportTo": honoured(TEXTS),
        "http": honoured(ListOf(HTTP_ROUTE)),
        "tcp": honoured(ListOf(TCP_ROUTE)),
        "tls": honoured(ListOf(TLS_ROUTE)),
    }
)
