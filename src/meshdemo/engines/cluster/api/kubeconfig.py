"""Which cluster, and as whom: kubeconfig files, read as kubectl reads them."""

from __future__ import annotations

import itertools
import logging
import os
import shlex
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from kubernetes.config.config_exception import ConfigException
from kubernetes.config.kube_config import KubeConfigLoader, KubeConfigMerger
from msgspec import Struct

from meshdemo.engines.cluster.api.time_budget import OutOfTime
from meshdemo.errors import EnvironmentFailed
from meshdemo.settings import KUBECONFIG, expand

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from kubernetes import client

    from meshdemo.engines.cluster.api.time_budget import Budget

T = TypeVar("T")

UNREADABLE = (
    *(ConfigException, yaml.YAMLError, OSError),
    *(ValueError, TypeError, AttributeError, KeyError),  # of a file that has another shape
    RecursionError,  # of one that is nested without an end
)
SHORTEST_SECRET = 4
"""What is shorter stands in too many other words to be taken out of them."""
WHICH = "Name one with --kubeconfig and --context; kubectl config get-contexts lists them."


class Login(Struct, frozen=True):
    """What a kubeconfig says beside the address and the credentials."""

    context: str
    namespace: str
    """The context's own, else ``default``."""
    user: str
    """As the file names them; the cluster may know them by another name."""
    secrets: tuple[str, ...] = ()
    """What the plug-in for credentials is called with, and nobody should read."""
    plugin: str = ""
    """The command of that plug-in; empty if there is none."""


def log_in(
    chosen: str | None, context: str | None, connection: client.Configuration, budget: Budget
) -> Login:
    """Fill in a connection from a kubeconfig; its plug-in for credentials is run.

    Raises EnvironmentFailed, which names the file, and TimedOut.
    """
    files, merger = _read(chosen)
    place = os.pathsep.join(files)
    name = context or _current(merger, files)
    try:
        found = _named(merger.config.value["contexts"], name)
        if found is None:
            raise _no_context(merger, place, name)
        about = found.get("context") or {}
        user = str(about.get("user") or "")
        person = _named(merger.config.value["users"], user) or {}
        if user and not person:
            message = f"context {name} is for user {user}, whom {place} does not have"
            raise EnvironmentFailed(message, hint=WHICH)
        plugin = (person.get("user") or {}).get("exec") or {}
        secrets = _values(_words_and_options(plugin)[1])
        command = str(plugin.get("command") or "")
        login = Login(name, about.get("namespace") or "default", user, secrets, command)
        loader = KubeConfigLoader(merger.config, active_context=name, config_base_path=None)
        _, errors = asked(lambda: loader.load_and_set(connection), budget, login.plugin, secrets)
    except OutOfTime as error:
        why = f"it did not end within {budget.seconds:g} s"
        message, hint = _no_credentials(user, plugin, [why])
        raise OutOfTime(message, hint=hint) from error
    except UNREADABLE as error:
        message = f"context {name} of {place} cannot be used: {_said(error)}"
        raise EnvironmentFailed(message, hint=WHICH) from error
    if errors:
        message, hint = _no_credentials(user, plugin, errors)
        raise EnvironmentFailed(message, hint=hint)
    return login


def asked(
    call: Callable[[], T], budget: Budget, plugin: str, secrets: Sequence[str]
) -> tuple[T, list[str]]:
    """Give what a call gives that may run the plug-in, and what the library says of that.

    The plug-in ends with the time of the step. What it says may repeat the ``secrets`` that it was
    called with.
    """

    def listening() -> tuple[T, list[str]]:
        with _heard(secrets) as errors:
            return call(), errors

    try:
        return budget.run(listening, "getting credentials")
    except OutOfTime:
        _end(plugin)
        raise


def _end(command: str) -> None:
    """End a command that we have started: the library does not tell which process it is."""
    import psutil  # noqa: PLC0415 - it takes time, and few come so far

    name = Path(command).name
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if name and any(Path(word).name == name for word in child.cmdline()):
                for process in (*child.children(recursive=True), child):
                    process.kill()


@contextmanager
def _heard(secrets: Sequence[str]) -> Iterator[list[str]]:
    """Collect the errors that the kubernetes library logs here: of a plug-in it says no more.

    Those of other threads are of other calls, also of one that was given up and still runs.
    """
    said: list[str] = []
    here = threading.get_ident()

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.levelno >= logging.ERROR and record.thread == here:
                text = record.getMessage()
                for secret in secrets:
                    text = text.replace(secret, "...")
                said.append(text)

    ear = Ear()
    logging.getLogger().addHandler(ear)
    try:
        yield said
    finally:
        logging.getLogger().removeHandler(ear)


def _read(chosen: str | None) -> tuple[list[str], KubeConfigMerger]:
    """Read the file that was chosen, or all that KUBECONFIG names and that are there."""
    named = [chosen] if chosen else (os.environ.get("KUBECONFIG") or KUBECONFIG).split(os.pathsep)
    paths = [_expanded(path) for path in named if path]
    files = [path for path in paths if not _is_missing(path)]
    if not files:
        source = "--kubeconfig" if chosen else "KUBECONFIG" if "KUBECONFIG" in os.environ else ""
        about = f" ({source})" if source else ""
        raise EnvironmentFailed(f"there is no file {' or '.join(paths)}{about}", hint=WHICH)
    merger = KubeConfigMerger("")
    for path in files:
        try:
            merger.load_config(path)
        except UNREADABLE as error:
            message = f"{path} is not a valid kubeconfig: {_said(error)}"
            raise EnvironmentFailed(message, hint=WHICH) from error
    return files, merger


def _expanded(path: str) -> str:
    """Replace a ``~``; one that is nobody's home stays, and there is no such file."""
    try:
        return str(expand(path))
    except EnvironmentFailed:
        return path


def _is_missing(path: str) -> bool:
    """Tell whether there is no such file; one that may not be read is there, and says why."""
    try:
        Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _current(merger: KubeConfigMerger, files: Sequence[str]) -> str:
    """Give the current context: of several files, as for kubectl, the first one that has one."""
    named = (merger.config_files[path].get("current-context") for path in files)
    return str(next(filter(None, named), ""))


def _named(items: Sequence[Any], name: str) -> dict[str, Any] | None:
    return next((item.value for item in items if item.value.get("name") == name), None)


def _no_context(merger: KubeConfigMerger, place: str, name: str) -> EnvironmentFailed:
    there = ", ".join(str(item.value.get("name")) for item in merger.config.value["contexts"])
    missing = f"has no context {name}" if name else "names no current context"
    known = f"it has {there}" if there else "it has none at all"
    return EnvironmentFailed(f"{place} {missing}; {known}", hint="Name one with --context.")


def _no_credentials(user: str, plugin: Mapping[str, Any], errors: Sequence[str]) -> tuple[str, str]:
    """Say that there are no credentials, which command should have given them, and what to do."""
    why = "; ".join(dict.fromkeys(errors))
    if not plugin:
        return f"the credentials of user {user} cannot be had: {why}", ""
    words, options = _words_and_options(plugin)
    command = shlex.join([str(plugin.get("command")), *words])
    own = " ".join(str(plugin.get("installHint") or "").split())
    more = ", with the options of your kubeconfig" if options else ""
    hint = own or f"Is it installed, and are you logged in? Run it by hand{more}: {command}"
    come_from = f"the credentials of user {user} come from the command {command}"
    return f"{come_from}, which failed: {why}", hint


def _words_and_options(plugin: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Divide a plug-in's arguments before the first option."""
    args = [str(arg) for arg in plugin.get("args") or ()]
    # Before the first option are a program's subcommands, as in `aws eks get-token`: no secrets.
    words = list(itertools.takewhile(lambda arg: not arg.startswith("-"), args))
    return words, args[len(words) :]


def _values(options: Sequence[str]) -> tuple[str, ...]:
    """Give the values of options, the longest first: one may be a password."""
    values = {arg.partition("=")[2] if arg.startswith("-") else arg for arg in options}
    long = (value for value in values if len(value) >= SHORTEST_SECRET)
    return tuple(sorted(long, key=len, reverse=True))


def _said(error: Exception) -> str:
    """Give an error in one line; the library's own say what is missing in which part."""
    text = " ".join(str(error).split())
    if isinstance(error, (ConfigException, yaml.YAMLError, OSError, ValueError)):
        return text
    return f"it is not of that shape ({text})"
