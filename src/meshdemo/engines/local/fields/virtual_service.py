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
    later,
    yes,
)

CORS_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE", "*")
GRPC_STATUS = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)

STRING_MATCH = Record(
    {"exact": yes(TEXT), "prefix": yes(TEXT), "regex": yes(TEXT)},
    one_of=(("exact", "prefix", "regex"),),
)

DESTINATION = Record(
    {
        "host": yes(TEXT, required=True),
        "subset": yes(TEXT),
        "port": yes(Record({"number": yes(Port())})),
    }
)

_OPERATIONS = Record({"set": yes(TEXT_MAP), "add": yes(TEXT_MAP), "remove": yes(TEXTS)})
HEADERS = Record({"request": yes(_OPERATIONS), "response": yes(_OPERATIONS)})

WEIGHT = Integer(0)

ROUTE_DESTINATION = Record(
    {
        "destination": yes(DESTINATION, required=True),
        "weight": yes(WEIGHT),
        "headers": yes(HEADERS),
    }
)

HTTP_MATCH = Record(
    {
        "name": yes(TEXT),
        "uri": yes(STRING_MATCH),
        "scheme": yes(STRING_MATCH),
        "method": yes(STRING_MATCH),
        "authority": yes(STRING_MATCH),
        "headers": yes(MapOf(STRING_MATCH)),
        "withoutHeaders": yes(MapOf(STRING_MATCH)),
        "queryParams": yes(MapOf(STRING_MATCH)),
        "ignoreUriCase": yes(BOOLEAN),
        "port": yes(Port(zero=True)),
        "sourceLabels": yes(TEXT_MAP),
        "sourceNamespace": yes(TEXT),
        "gateways": yes(TEXTS),
        "statPrefix": yes(TEXT),
    }
)

_PERCENTAGE = Record({"value": yes(Percentage())})

FAULT = Record(
    {
        "abort": yes(
            Record(
                {
                    "percentage": yes(_PERCENTAGE),
                    "httpStatus": yes(Integer(200, 600)),
                    "grpcStatus": yes(Choice(GRPC_STATUS)),
                    "http2Error": later(TEXT),  # Istio's schema knows it, its admission refuses it
                },
                one_of=(("httpStatus", "grpcStatus", "http2Error"),),
            )
        ),
        "delay": yes(
            Record(
                {
                    "percentage": yes(_PERCENTAGE),
                    "percent": yes(Integer()),
                    "fixedDelay": yes(Duration()),
                    "exponentialDelay": later(Duration()),  # as http2Error
                },
                one_of=(("fixedDelay", "exponentialDelay"),),
            )
        ),
    }
)

REDIRECT = Record(
    {
        "uri": yes(TEXT),
        "prefixRewrite": yes(TEXT),
        "authority": yes(TEXT),
        "scheme": yes(TEXT),
        "port": yes(Port(zero=True)),
        "derivePort": yes(Choice(("FROM_PROTOCOL_DEFAULT", "FROM_REQUEST_PORT"))),
        "redirectCode": yes(Integer(0)),
    },
    one_of=(("port", "derivePort"),),
)

REWRITE = Record(
    {
        "uri": yes(TEXT),
        "authority": yes(TEXT),
        "uriRegexRewrite": yes(Record({"match": yes(TEXT), "rewrite": yes(TEXT)})),
    }
)

RETRIES = Record(
    {
        "attempts": yes(Integer(0)),
        "perTryTimeout": yes(Duration()),
        "retryOn": yes(TEXT),
        "retryRemoteLocalities": yes(BOOLEAN),
        "retryIgnorePreviousHosts": yes(BOOLEAN),
        "backoff": yes(Duration()),
    }
)

CORS = Record(
    {
        "allowOrigin": yes(TEXTS),
        "allowOrigins": yes(ListOf(STRING_MATCH)),
        "allowMethods": yes(ListOf(Choice(CORS_METHODS))),
        "allowHeaders": yes(TEXTS),
        "exposeHeaders": yes(TEXTS),
        "maxAge": yes(Duration()),
        "allowCredentials": yes(BOOLEAN),
        "unmatchedPreflights": yes(Choice(("UNSPECIFIED", "FORWARD", "IGNORE"))),
    }
)

_MIRROR_PERCENT = Record({"value": yes(Percentage(least=0))})

MIRRORS = ListOf(
    Record(
        {
            "destination": yes(DESTINATION, required=True),
            "percentage": yes(_MIRROR_PERCENT),
        }
    )
)

DIRECT_RESPONSE = Record(
    {
        "status": yes(Integer(200, 600), required=True),
        "body": yes(
            Record({"string": yes(TEXT), "bytes": yes(Base64())}, one_of=(("string", "bytes"),))
        ),
    }
)

HTTP_ROUTE = Record(
    {
        "name": yes(TEXT),
        "match": yes(ListOf(HTTP_MATCH)),
        "route": yes(ListOf(ROUTE_DESTINATION)),
        "redirect": yes(REDIRECT),
        "rewrite": yes(REWRITE),
        "headers": yes(HEADERS),
        "timeout": yes(Duration()),
        "fault": yes(FAULT),
        "retries": later(RETRIES),
        "mirror": later(DESTINATION),
        "mirrors": later(MIRRORS),
        "mirrorPercentage": later(_MIRROR_PERCENT),
        "mirrorPercent": later(Integer(0, 100)),
        "mirror_percent": later(Integer(0, 100)),
        "corsPolicy": later(CORS),
        "directResponse": later(DIRECT_RESPONSE),
        "delegate": later(Record({"name": yes(TEXT), "namespace": yes(TEXT)})),
    }
)

_L4_MATCH = {
    "destinationSubnets": yes(TEXTS),
    "port": yes(Port(zero=True)),
    "sourceLabels": yes(TEXT_MAP),
    "sourceNamespace": yes(TEXT),
    "gateways": yes(TEXTS),
}
_L4_ROUTE = ListOf(
    Record({"destination": yes(DESTINATION, required=True), "weight": yes(WEIGHT)}),
)

TCP_ROUTE = Record(
    {
        "match": yes(ListOf(Record({**_L4_MATCH, "sourceSubnet": yes(TEXT)}))),
        "route": yes(_L4_ROUTE),
    }
)

TLS_ROUTE = Record(
    {
        "match": yes(
            ListOf(Record({**_L4_MATCH, "sniHosts": yes(TEXTS, required=True)})), required=True
        ),
        "route": yes(_L4_ROUTE),
    }
)

VIRTUAL_SERVICE_SPEC = Record(
    {
        "hosts": yes(TEXTS),
        "gateways": yes(TEXTS),
        "exportTo": yes(TEXTS),
        "http": yes(ListOf(HTTP_ROUTE)),
        "tcp": later(ListOf(TCP_ROUTE)),
        "tls": later(ListOf(TLS_ROUTE)),
    }
)
