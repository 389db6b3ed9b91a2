from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshdemo.errors import InputError, UsageError
from meshdemo.verdict import traffic
from meshdemo.verdict.tally import Tally
from meshdemo.verdict.traffic import Reply, Request, Sample
from meshdemo.verdict.version_source import BODY, LINE, VersionSource

REPLIES = st.builds(
    Reply,
    status=st.sampled_from([0, 200, 204, 404, 503]),
    body=st.one_of(st.sampled_from(["v1", "v2\n", '{"version": "v1"}']), st.text(max_size=80)),
    error=st.one_of(st.just(""), st.text(max_size=80)),
)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("tcp://app:9000", ""),
        ("tcp://app:9000/", ""),
        ("tcp://app.shop:1", ""),
        ("tcp://app", "a host and a port"),
        ("tcp://app:9000/env", "a host and a port"),
        ("tcp://app:0", "no port 0"),
        ("tcp://:9000", "a host"),
        ("ftp://app", "http:// or tcp://"),
    ],
)
def test_a_connection_is_asked_for_by_host_and_port(url: str, words: str) -> None:
    if not words:
        traffic.check(Request(url))
        return
    with pytest.raises(InputError) as refused:
        traffic.check(Request(url))
    assert words in str(refused.value.problems[0])


def test_a_connection_has_neither_method_nor_headers() -> None:
    with pytest.raises(InputError) as refused:
        traffic.check(Request("tcp://app:9000", "POST", (("x-user", "anna"),)))
    assert [problem.field for problem in refused.value.problems] == ["method", "header"]


@pytest.mark.parametrize(
    ("line", "version"), [("v1", "v1"), ("one hello", "one"), ('{"version": "v2"}', "v2"), ("", "")]
)
def test_the_first_word_of_a_line_names_the_version(line: str, version: str) -> None:
    assert LINE.read(Reply(200, line)) == version
    assert VersionSource(only_body=True).read(Reply(200, "one two")) == ""


@pytest.mark.parametrize(
    ("body", "version"),
    [
        pytest.param("v1", "v1", id="text"),
        pytest.param(" v1\r\n", "v1", id="blanks around it"),
        pytest.param(json.dumps({"pod": "x", "version": "v2"}), "v2", id="JSON"),
        pytest.param('\n{"version": "v2"}', "v2", id="JSON after a line end"),
        pytest.param('{"version": null}', "", id="JSON without a version"),
        pytest.param('{"version": 2}', "", id="JSON number"),
        pytest.param('{"version": "not one!"}', "", id="JSON with something else"),
        pytest.param('{"version": ', "", id="broken JSON"),
        pytest.param('{"a":' * 100_000, "", id="JSON without end"),
        pytest.param("", "", id="empty"),
        pytest.param("<html>v1</html>", "", id="a page"),
        pytest.param("v" * 63, "v" * 63, id="63 characters"),
        pytest.param("v" * 64, "", id="64 characters"),
        pytest.param("v1-", "", id="bad last character"),
    ],
)
def test_a_version_is_the_body_or_its_json_field(body: str, version: str) -> None:
    assert BODY.read(Reply(200, body)) == version


@pytest.mark.parametrize(
    "reply",
    [Reply(503, "v1"), Reply(404, "v1"), Reply(201, "v1"), Reply(200, "v1", "cut off"), Reply()],
)
def test_only_a_whole_answer_with_status_200_has_a_version(reply: Reply) -> None:
    assert BODY.read(reply) == ""


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        pytest.param(Reply(200, "xyz"), "unknown answer 'xyz'", id="unknown version"),
        pytest.param(Reply(200, '{"version": "v9"}'), "unknown answer 'v9'", id="unknown in JSON"),
        pytest.param(Reply(200, "a  b\n\tc"), "unknown answer 'a b c'", id="on one line"),
        pytest.param(Reply(200, "\x1b[31mred"), "unknown answer '?[31mred'", id="no control codes"),
        pytest.param(Reply(200, "x" * 99), f"unknown answer '{'x' * 37}...'", id="shortened"),
        pytest.param(Reply(200, ""), "unknown answer ''", id="empty"),
        pytest.param(Reply(503, "no healthy upstream"), "HTTP 503", id="status"),
        pytest.param(
            Reply(0, "", "connection refused"), "no answer: connection refused", id="error"
        ),
        pytest.param(Reply(200, "v1", "cut off"), "no answer: cut off", id="cut off"),
        pytest.param(Reply(), "no answer", id="nothing"),
    ],
)
def test_what_no_known_version_answered_is_counted_by_what_it_was(reply: Reply, kind: str) -> None:
    counts = Tally.of(["v1"])
    counts.add(reply)
    assert counts.others == {kind: 1}
    assert counts.versions == {"v1": 0}


def test_errors_and_unknown_answers_stay_in_the_denominator() -> None:
    counts = Tally.of(["v1", "v2"])
    for reply in (Reply(200, "v1"), Reply(200, "v1"), Reply(503), Reply(200, "v9")):
        counts.add(reply)
    assert counts.versions == {"v1": 2, "v2": 0}
    assert (counts.answered, counts.missed, counts.total) == (2, 2, 4)


def test_an_app_that_answers_each_time_something_else_does_not_fill_the_memory() -> None:
    counts = Tally.of(["v1"])
    for number in range(10_000):
        counts.add(Reply(200, f"answer-{number}"))
    assert len(counts.others) < 30
    assert counts.others["anything else"] == 9_980
    assert counts.total == 10_000


@given(st.lists(REPLIES, max_size=60))
def test_every_reply_is_counted_once(replies: list[Reply]) -> None:
    counts = Tally.of(["v1", "v2"])
    for number, reply in enumerate(replies, 1):
        counts.add(reply)
        assert counts.total == number


@given(REPLIES)
def test_no_kind_of_other_answers_can_be_taken_for_a_version(reply: Reply) -> None:
    counts = Tally.of([])
    counts.add(reply)
    (kind,) = counts.others
    assert not traffic.VERSION_NAME.fullmatch(kind)
    assert kind.isprintable()


@pytest.mark.parametrize(("wanted", "complete"), [(0, True), (2, True), (3, False)])
def test_a_sample_is_complete_when_each_request_has_its_reply(
    wanted: int, *, complete: bool
) -> None:
    sample = Sample(Request(), wanted, (Reply(200, "v1"), Reply(error="timed out")), 0.1)
    assert sample.complete is complete


@pytest.mark.parametrize(
    "request_",
    [
        Request(),
        Request("http://app"),
        Request("http://app:/"),
        Request("http://app:65535/a%20b?x='{1}'#part"),
        Request("http://app.shop.svc.cluster.local./"),
        Request("http://my_app-1/"),
        Request("http://10.0.0.1/"),
        Request("http://[::1]:80/"),
        Request(method="M-SEARCH"),
        Request(headers=(("x-user", "anna"), ("x-empty", ""), ("x-text", "a\tb \N{SNOWMAN}"))),
        Request(method="POST", headers=(("Content-Length", "0"),)),
    ],
    ids=str,
)
def test_a_request_that_can_be_sent(request_: Request) -> None:
    traffic.check(request_)


@pytest.mark.parametrize(
    "url",
    ["", "app", "app/env", "https://app/", "ftp://app/", "http:app", "http:///env", "http://:80/",
     "http://[::1", "http://[::1]x/", "http://[::::1]/", "http://app]/", "http://app\u2100/",
     "http://app:port/", "http://app:99999/", "http://app:0/", "http://app:-1/", "http://app:8 0/",
     "http://user:word@app/", "http://@app/", "http://a b/", "http://a..b/", "http://.app/",
     "http://-app/", "http://ap%70/", "http://*.app/", "http://app,other/", "http://\N{SNOWMAN}/",
     f"http://{'a' * 64}/", f"http://{'.'.join(['a' * 63] * 4)}/", "http://app/a b",
     "http://app/\N{SNOWMAN}", "http://app/\x7f", "http://app/\nx", "\nhttp://app/", " http://app/"],
    ids=repr,
)  # fmt: skip
def test_a_url_that_nothing_can_be_sent_to_is_refused(url: str) -> None:
    with pytest.raises(InputError, match="cannot be sent"):
        traffic.check(Request(url))


@pytest.mark.parametrize(
    ("name", "value"),
    [("x y", "z"), ("", "z"), ("x:", "z"), ("x(y)", "z"), ("\N{SNOWMAN}", "z"), ("x\n", "z"),
     ("x", "1\r\ny: 2"), ("x", "\0"), ("x", "\x7f"), ("Content-Length", "5"),
     ("transfer-encoding", "chunked")],
    ids=repr,
)  # fmt: skip
def test_a_header_that_cannot_be_sent_is_refused(name: str, value: str) -> None:
    with pytest.raises(InputError, match="cannot be sent"):
        traffic.check(Request(headers=(("x-a", "1"), (name, value))))


@pytest.mark.parametrize("method", ["", "GE T", "GET\r\n", "G\xcaT"])
def test_a_method_that_cannot_be_sent_is_refused(method: str) -> None:
    with pytest.raises(InputError, match="cannot be sent"):
        traffic.check(Request(method=method))


def test_all_that_is_wrong_with_a_request_is_said_at_once() -> None:
    with pytest.raises(InputError) as refusal:
        traffic.check(Request("http://app:0/", "GE T", (("x y", "1"), ("x", "\n"))))
    assert len(refusal.value.problems) == 4


@given(st.text(max_size=30), st.text(max_size=10), st.text(max_size=10), st.text(max_size=10))
def test_any_request_is_either_sendable_or_refused(
    url: str, method: str, name: str, value: str
) -> None:
    with suppress(InputError):
        traffic.check(Request(f"http://{url}", method, ((name, value),)))


@pytest.mark.parametrize(
    ("by", "reply", "version"),
    [
        ("header:x-version", Reply(200, "v1", headers=(("X-Version", "v2"),)), "v2"),
        ("header:x-version", Reply(200, "v1"), ""),
        ("header:x-version", Reply(500, "", headers=(("x-version", "v2"),)), ""),
        ("json:version", Reply(200, '{"version": "v3"}'), "v3"),
        (
            "json:pods[1].labels.version",
            Reply(200, '{"pods": [0, {"labels": {"version": 4}}]}'),
            "4",
        ),
        ("json:pods[1]", Reply(200, '{"pods": []}'), ""),
        ("json:a.b", Reply(200, "[]"), ""),
        ("json:a", Reply(200, "no JSON"), ""),
        ("json:a", Reply(200, '{"a": true}'), ""),
        ("body", Reply(200, " v2\n"), "v2"),
        ("body", Reply(200, '{"version": "v2"}'), ""),
    ],
)
def test_a_version_is_read_where_one_says(by: str, reply: Reply, version: str) -> None:
    assert VersionSource.parse(by).read(reply) == version


@pytest.mark.parametrize("text", ["", "header:", "header:a b", "json:", "json:a..b", "json:[0"])
def test_what_names_no_place_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="names no place"):
        VersionSource.parse(text)
