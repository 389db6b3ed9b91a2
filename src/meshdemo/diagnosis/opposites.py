"""Objects with one thing changed: what the rules would promise then proves a cause.

Nothing is changed in the mesh: the promise is worked out for objects that differ in that thing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshdemo.language import said
from meshdemo.rules import hosts

if TYPE_CHECKING:
    from meshdemo.diagnosis.facts import Facts
    from meshdemo.objects.model import Object


def proof(facts: Facts) -> tuple[str, ...]:
    """Say what such a cause is proved by."""
    return (said("with that changed, the rules promise {expected}", expected=facts.expectation),)


def with_host(rule: Object, wrong: str, right: str) -> Object:
    """Put one host in the place of another one, in all that a rule says."""
    if rule.kind not in ("DestinationRule", "VirtualService"):
        return rule

    def mended(value: Any) -> Any:  # noqa: ANN401 - YAML is any data
        if isinstance(value, dict):
            return {name: put(name, each) for name, each in value.items()}
        return [mended(each) for each in value] if isinstance(value, list) else value

    def put(name: str, value: Any) -> Any:  # noqa: ANN401 - as above
        if name == "host" and hosts.resolve(str(value), rule.namespace) == wrong:
            return right
        if name == "hosts" and isinstance(value, list):
            return [right if hosts.resolve(str(h), rule.namespace) == wrong else h for h in value]
        return mended(value)

    return rule.with_data(mended(rule.data))


def with_spec(item: Object, **fields: Any) -> Object:  # noqa: ANN401 - YAML is any data
    """Give the same object with other fields; None leaves one out."""
    spec = {name: value for name, value in {**item.spec, **fields}.items() if value is not None}
    return item.with_data({**item.data, "spec": spec})


def exchanged(facts: Facts, old: Object, new: Object) -> list[Object]:
    """Give all objects, one of them changed."""
    return [new if item.key == old.key else item for item in facts.objects]


def without(facts: Facts, rule: Object) -> list[Object]:
    """Give all objects but one."""
    return [item for item in facts.objects if item.key != rule.key]
