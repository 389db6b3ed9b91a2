"""One Envoy's configuration files, and when what they say is live.

Envoy watches its files and reads one as soon as it is renamed into place. The order keeps every
request answered: what is referred to comes before what refers to it, and goes after it.

    clusters (old and new) -> listeners (old and new) -> routes
                           -> listeners (new only) -> clusters (new only)

It watches these three files and no more, however many services there are: each takes an inotify
instance. So the endpoints of a cluster are in the cluster, and when a pod comes or goes Envoy
replaces the clusters that it is in: requests under way end as they would have, and what a cluster
remembers begins anew (connections, ejected pods, the least busy one).
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from meshdemo.engines.local.envoy.binary import Admin
from meshdemo.engines.local.envoy.unix_http import Unreachable
from meshdemo.errors import EnvironmentFailed, TimedOut
from meshdemo.system import files, waiting

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from meshdemo.engines.local.translate import Config

    Json = dict[str, Any]

CLUSTERS, LISTENERS, ROUTES = "cds.json", "lds.json", "rds.json"
STATS = "(version_text|update_rejected|update_failure|total_listeners_warming|warming_clusters)$"
PREFIXES = {CLUSTERS: r"cluster_manager\.cds\.", LISTENERS: r"listener_manager\.lds\.",
            ROUTES: r"http\..*\.rds\.outbound\."}  # fmt: skip
"""Below which names Envoy counts what becomes of each file."""
LIVE_SECONDS = 10
"""How long Envoy may take to take over a change: usually 1 to 10 ms."""
PAUSE, LONGEST_PAUSE = 0.001, 0.02
REASON_SECONDS = 0.5
"""How long the reason of a rejection may take from Envoy to its log, by way of the supervisor."""
PORT_TAKEN = re.compile(r"127\.0\.0\.1:(\d+).*Address already in use", re.DOTALL)


class Rejected(EnvironmentFailed):
    """An Envoy does not accept its configuration; ``port`` is the one it found taken, if so."""

    def __init__(self, name: str, file: str, reason: str) -> None:
        taken = PORT_TAKEN.search(reason)
        self.port = int(taken[1]) if taken else 0
        hint = "The rules that were live before are still in force. `meshdemo logs` shows more."
        super().__init__(f"the Envoy of {name} rejects {file}: {reason}", hint=hint)


class Proxy(Struct, frozen=True):
    """One Envoy: its name for people, its folder, its admin socket and its log."""

    name: str
    folder: Path
    socket: Path
    log: Path

    @property
    def admin(self) -> Admin:
        """Give its admin interface."""
        return Admin(self.socket)


class _Stage(Struct, frozen=True):
    """A file to write, and how to tell that Envoy took it over."""

    file: str
    prefix: str
    resources: Sequence[Json]
    text: str

    @property
    def version(self) -> str:
        return _version(self.text)


def write_all(proxy: Proxy, config: Config) -> None:
    """Write all files for an Envoy that does not run yet, or will read them when it is back."""
    _write_all(proxy, _final(config))


def publish(proxy: Proxy, config: Config) -> bool:
    """Bring an Envoy that runs up to date, and return when it is; whether anything changed.

    One that does not answer gets its files only. Raises Rejected.
    """
    final = _final(config)
    try:
        stats = proxy.admin.stats(STATS)
        if _is_live(proxy, final.values(), stats):
            return False
        for stage in _stages(proxy.folder, final, stats):
            if not _is_live(proxy, [stage], stats):
                stats = _replace(proxy, stage, stats)
    except Unreachable:
        _write_all(proxy, final)
    return True


def is_up_to_date(proxy: Proxy) -> bool:
    """Tell whether an Envoy has what its files say. Raises Rejected if it will not."""
    try:
        stats = proxy.admin.stats(STATS)
    except Unreachable:
        return False
    for file, prefix in PREFIXES.items():
        if _recorded(proxy.folder / file) == _value(stats, prefix):
            continue
        if _failures(stats, prefix):
            raise Rejected(proxy.name, file, _reason(proxy.log, 0))
        return False
    return not _is_warming(stats)


def _write_all(proxy: Proxy, final: Mapping[str, _Stage]) -> None:
    for stage in final.values():
        _write(proxy.folder, stage)


def _stages(
    folder: Path, final: Mapping[str, _Stage], stats: Mapping[str, str]
) -> Iterable[_Stage]:
    yield _union(folder, final[CLUSTERS], stats)
    yield _union(folder, final[LISTENERS], stats)
    yield final[ROUTES]
    yield final[LISTENERS]
    yield final[CLUSTERS]


def _final(config: Config) -> dict[str, _Stage]:
    resources = {CLUSTERS: config.clusters, ROUTES: config.routes, LISTENERS: config.listeners}
    return {file: _stage(file, found) for file, found in resources.items()}


def _stage(file: str, resources: Sequence[Json]) -> _Stage:
    return _Stage(file, PREFIXES[file], resources, _text(resources))


def _union(folder: Path, final: _Stage, stats: Mapping[str, str]) -> _Stage:
    """Keep what goes away until nothing refers to it any more.

    A file that Envoy has not taken over says nothing of what it has: it may have rejected it, and
    would again.
    """
    recorded = _recorded(folder / final.file)
    if recorded == final.version or recorded != _value(stats, final.prefix):
        return final
    names = {resource["name"] for resource in final.resources}
    try:
        before = json.loads(files.text(folder / final.file))["resources"]
        leaving = [resource for resource in before if resource["name"] not in names]
    except (ValueError, LookupError, TypeError, RecursionError):  # none, or a broken one
        leaving = []
    return _stage(final.file, [*final.resources, *leaving]) if leaving else final


def _replace(proxy: Proxy, stage: _Stage, before: Mapping[str, str]) -> dict[str, str]:
    """Write one file, and wait until Envoy has taken it over; give the statistics then."""
    # Rejected content leaves version_text as it was: only these counters show it, so what they were
    # before the rename is kept.
    failures, mark = _failures(before, stage.prefix), _size(proxy.log)
    _write(proxy.folder, stage)
    stats: dict[str, str] = {}

    def took_over() -> bool:
        nonlocal stats
        stats = proxy.admin.stats(STATS)
        if _failures(stats, stage.prefix) > failures:
            raise Rejected(proxy.name, stage.file, _reason(proxy.log, mark))
        return _value(stats, stage.prefix) == stage.version and not _is_warming(stats)

    what = f"the Envoy of {proxy.name} to take over {stage.file}"
    try:
        waiting.until(
            took_over, what, timeout=LIVE_SECONDS, pause=PAUSE, longest_pause=LONGEST_PAUSE
        )
    except TimedOut as error:
        raise EnvironmentFailed(
            error.message, hint="`meshdemo logs` shows what it says."
        ) from error
    return stats


def _is_live(proxy: Proxy, stages: Iterable[_Stage], stats: Mapping[str, str]) -> bool:
    # The file counts as well: it is what an Envoy that is started again will read.
    return not _is_warming(stats) and all(
        stage.version == _value(stats, stage.prefix) == _recorded(proxy.folder / stage.file)
        for stage in stages
    )


def _is_warming(stats: Mapping[str, str]) -> bool:
    names = ("cluster_manager.warming_clusters", "listener_manager.total_listeners_warming")
    return any(stats.get(name, "0") != "0" for name in names)


def _value(stats: Mapping[str, str], prefix: str) -> str:
    pattern = re.compile(prefix + "version_text$")
    return next((value for name, value in stats.items() if pattern.match(name)), "")


def _failures(stats: Mapping[str, str], prefix: str) -> int:
    pattern = re.compile(prefix + "update_(rejected|failure)$")
    return sum(int(value) for name, value in stats.items() if pattern.match(name))


def _text(resources: Sequence[Json]) -> str:
    # Envoy shows the version in its statistics, in 2 ms; its config_dump, which has the resources
    # themselves, takes nearly five times as long.
    body = json.dumps(resources, separators=(",", ":"))
    version = hashlib.sha256(body.encode()).hexdigest()[:16]
    return f'{{"version_info":"{version}","resources":{body}}}'


def _version(text: str) -> str:
    found = re.match(r'\{"version_info":"([0-9a-f]+)"', text)
    return found[1] if found else ""


def _recorded(file: Path) -> str:
    """Give the version that a file has now; empty if it cannot be read."""
    try:
        with files.open_to_read(file) as opened:
            return _version(opened.read(64).decode(errors="replace"))
    except OSError:
        return ""


def _write(folder: Path, stage: _Stage) -> None:
    files.write(folder / stage.file, stage.text)


def _size(log: Path) -> int:
    try:
        return log.stat().st_size
    except OSError:
        return 0


def _reason(log: Path, mark: int) -> str:
    """Find in Envoy's log why it rejected a file; the log is the only place that says so."""

    def read() -> str:
        try:
            with files.open_to_read(log) as opened:
                opened.seek(mark)
                said = opened.read().decode(errors="replace")
        except OSError:
            return ""
        found = re.findall(r"(?:rejected|failed): (.+?)(?=\n\[\d{4}-|\Z)", said, re.DOTALL)
        return str(found[-1]).strip() if found else ""

    try:
        return waiting.until(read, "the reason", timeout=REASON_SECONDS)
    except TimedOut:
        return f"its log {log} does not say why"
