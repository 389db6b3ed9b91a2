"""The process of each container: argument list, environment, and where it listens."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field
from msgspec.structs import replace

from meshdemo.engines.local import config_data, images, tcp_echo
from meshdemo.engines.local.config_data import NO_DATA, ConfigData
from meshdemo.engines.local.images import ECHO, FLASKAPP, IDLE
from meshdemo.engines.local.model import LOOPBACK
from meshdemo.objects.labels import COMMAND

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from meshdemo.engines.local.model import PlannedPod
    from meshdemo.objects.model import Object

RUN_VARIABLE = "MESHDEMO_RUN"
"""In the environment of everything that we start, so that nothing of it can get lost."""
FLASKAPP_PORT = 80
TCP = "TCP"
"""Kubernetes' default for the protocol of a port."""
PLACEHOLDER = re.compile(r"\{(?:port(?::(?P<port>[^{}]*))?|volume:(?P<volume>[^{}]*))\}")
UNKNOWN = re.compile(r"(?<!\$)\{(?!port\b|volume:)\w+(?::[^{}\s]*)?\}")
"""What looks like a placeholder and is none; ``${...}`` is a shell's."""
APPS = "meshdemo.engines.local.apps"
COMMAND_HINT = (
    f'say in the pod template what to run: annotation {COMMAND}: "python server.py --port {{port}}"'
    ", or let the echo app stand in for it: --stand-in"
)

Finding = tuple[tuple["str | int", ...], str, str]
"""A field's path below the pod template, what is wrong with it, and what to do."""


class Program(Struct, frozen=True):
    """One process of a pod."""

    container: str
    argv: tuple[str, ...]
    env: dict[str, str]
    listens: tuple[int, ...] = ()
    """Ports on loopback where it must listen before the container is ready."""
    annotated: bool = False
    """Whether the command is the user's."""
    tries: int = 0
    """How often at most it is started until it succeeds; 0 if it shall never end."""


class Surroundings(Struct, frozen=True):
    """What the containers of a pod find around them, beside the network."""

    data: ConfigData = NO_DATA
    """The ConfigMaps and Secrets of its namespace."""
    volumes: Mapping[str, str] = field(default_factory=dict)
    """The folder of each volume."""

    def environment(self, pod: PlannedPod, container: Mapping[str, Any]) -> dict[str, str]:
        """Give what a container declares, and where its volumes are."""
        own = config_data.environment(container, self.data, pod)
        return {**volume_environment(container, self.volumes), **own}


def container_ports(template: Mapping[str, Any]) -> list[tuple[int, str]]:
    """List number and name of each declared TCP port of a pod."""
    return [
        (port["containerPort"], port.get("name") or "")
        for container in images.containers(template)
        for port in container.get("ports") or ()
        if port.get("protocol", TCP) == TCP
    ]


def service_ports(service: Object) -> list[dict[str, Any]]:
    """Give the ports of a Service that lead to a pod here: nothing listens on UDP."""
    ports = service.spec.get("ports") or ()
    return [port for port in ports if port.get("protocol", TCP) == TCP]


def builtin_ports(template: Mapping[str, Any]) -> list[int]:
    """List the ports where built-in images listen whatever is declared."""
    return [port for each in images.containers(template) for port in _own_ports(each)]


def _own_ports(container: Mapping[str, Any]) -> list[int]:
    image = images.builtin(images.image_of(container))
    if image == tcp_echo.IMAGE:
        return tcp_echo.ports(container)
    return [FLASKAPP_PORT] if image == FLASKAPP else []


def problems_of(template: Mapping[str, Any]) -> Iterator[Finding]:
    """Find what cannot run."""
    annotated = images.annotated_container(template)
    command = images.annotation(template, COMMAND)
    if command is not None:
        yield from _command_findings(command)
    for index, container in enumerate(images.containers(template)):
        if container is annotated or images.runs_by_itself(container):
            continue
        if images.is_stand_in(template, container):
            continue
        path, image = ("spec", "containers", index), images.image_of(container)
        known = images.builtin(image)
        if not known:
            other = "; the annotation runs only one container of a pod" if annotated else ""
            yield (*path, "image"), f"nothing runs the image {image!r} here{other}", COMMAND_HINT
        elif known == IDLE:
            yield (*path, "command"), f"{IDLE} only idles here (init, sleep)", COMMAND_HINT
        elif known == tcp_echo.IMAGE:
            yield (*path, "args"), tcp_echo.NEEDED, COMMAND_HINT
        else:
            field = "command" if container.get("command") else "args"
            yield (*path, field), f"{known} runs its own command here", COMMAND_HINT


def unknown_placeholders(template: Mapping[str, Any]) -> list[str]:
    """List what only looks like a placeholder in a command, most likely a slip of the pen."""
    return UNKNOWN.findall(images.annotation(template, COMMAND) or "")


def unresolved(pod: PlannedPod, services: Sequence[Object]) -> list[str]:
    """List the placeholders of a pod's command that stand for no port, or no volume."""
    known = config_data.volumes(pod.template)

    def stands(match: re.Match[str]) -> bool:
        if match["volume"] is not None:
            return match["volume"] in known
        return bool(_port(pod, services, match["port"]))

    found = PLACEHOLDER.finditer(images.annotation(pod.template, COMMAND) or "")
    return [match[0] for match in found if not stands(match)]


def programs(
    pod: PlannedPod,
    services: Sequence[Object],
    surroundings: Surroundings,
    *,
    proxy: int,
    run: str,
) -> tuple[Program, ...]:
    """Say what to start for a pod; ``proxy`` is the port that takes what the pod sends."""
    annotated = images.annotated_container(pod.template)
    base = {**base_environment(), **proxy_environment(proxy)}
    found = []
    for container in images.containers(pod.template):
        env = {**base, **surroundings.environment(pod, container)}
        if container is annotated:
            program = _annotated(pod, services, container, env, surroundings.volumes)
        else:
            program = _built_in(pod, container, env)
        # Last, so that no container can hide from us.
        program.env[RUN_VARIABLE] = run
        found.append(replace(program, tries=pod.tries))
    return tuple(found)


def base_environment() -> dict[str, str]:
    """Give the little that a process gets of the user's environment."""
    chosen = {"PATH": os.defpath, "HOME": "/", "LANG": "C.UTF-8", "TMPDIR": tempfile.gettempdir()}
    return {name: os.environ.get(name) or value for name, value in chosen.items()}


def volume_environment(container: Mapping[str, Any], volumes: Mapping[str, str]) -> dict[str, str]:
    """Say where the volumes are that a container mounts: ``VOLUME_SCRATCH`` and the like."""
    names = sorted(config_data.mounted(container) & volumes.keys())
    return {f"VOLUME_{name.upper().replace('-', '_')}": volumes[name] for name in names}


def mounted(template: Mapping[str, Any]) -> set[str]:
    """Name the volumes that any container of a pod mounts, and that a folder is made for."""
    known = config_data.volumes(template).keys()
    return {
        name for each in images.containers(template) for name in config_data.mounted(each) & known
    }


def proxy_environment(port: int) -> dict[str, str]:
    """Send what a program requests into the mesh."""
    url = f"http://{LOOPBACK}:{port}"
    names = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
    return dict.fromkeys(names, url)


def _command_findings(command: str) -> Iterator[Finding]:
    path = ("metadata", "annotations", COMMAND)
    if "\0" in command:
        yield path, "no command line can hold a NUL character", "take it out"
    try:
        words = shlex.split(command)
    except ValueError as error:
        yield path, f"not a command line: {error}", "close the quotes"
        return
    if not words:
        yield path, "the command is empty", "say which program to run"


def _annotated(
    pod: PlannedPod,
    services: Sequence[Object],
    container: dict[str, Any],
    env: dict[str, str],
    volumes: Mapping[str, str],
) -> Program:
    used: list[int] = []

    def substitute(match: re.Match[str]) -> str:
        if match["volume"] is not None:
            return volumes[match["volume"]]
        port = _port(pod, services, match["port"])
        used.append(port)
        return str(port)

    command = images.annotation(pod.template, COMMAND) or ""
    # Split first: what is put in can then never become another word.
    argv = tuple(PLACEHOLDER.sub(substitute, word) for word in shlex.split(command))
    first = _port(pod, services, None)
    if first:
        env = {"PORT": str(first), **env}
    listens = tuple(dict.fromkeys(used)) or ((first,) if first else ())
    if pod.tries:  # it may have ended before anybody looks
        listens = ()
    return Program(str(container["name"]), argv, env, listens, annotated=True)


def _built_in(pod: PlannedPod, container: dict[str, Any], env: dict[str, str]) -> Program:
    name, image = str(container["name"]), images.builtin(images.image_of(container))
    if images.idles(container):
        return Program(name, _idle(), env)
    wanted = [number for number, _ in container_ports({"spec": {"containers": [container]}})]
    if images.is_stand_in(pod.template, container):
        image, wanted = ECHO, _stand_in_ports(pod, container, wanted)
        if not wanted:
            return Program(name, _nothing() if pod.tries else _idle(), env)
    else:
        wanted = _own_ports(container) or wanted
    places = {port.number: port.app for port in pod.ports if port.number in wanted}
    listen = ",".join(f"{number}={LOOPBACK}:{app}" for number, app in places.items())
    env = {**env, "MESHDEMO_LISTEN": listen}
    if image == tcp_echo.IMAGE:
        env["MESHDEMO_ECHO_NAME"] = tcp_echo.word(container)
    if image != FLASKAPP:
        env |= {"MESHDEMO_POD": pod.name, "MESHDEMO_LABELS": json.dumps(dict(pod.labels))}
    if "PYTHONPATH" in os.environ:
        # We were found by it, so our apps need it too.
        env["PYTHONPATH"] = str(Path(__file__).parents[3])
    module = f"{APPS}.{'flaskapp' if image == FLASKAPP else 'echo'}"
    return Program(name, (sys.executable, "-m", module), env, tuple(places.values()))


def _stand_in_ports(
    pod: PlannedPod, container: Mapping[str, Any], declared: Sequence[int]
) -> list[int]:
    """List where a stand-in listens: on its own ports, the first one of a pod also on all others.

    Those are what a Service leads to and no container declares. A Job's listens nowhere: it has to
    come to an end.
    """
    if not pod.is_endpoint:
        return []
    others = {number for number, _ in container_ports(pod.template)}
    is_first = images.stand_ins(pod.template)[0] == container
    more = [port.number for port in pod.ports if is_first and port.number not in others]
    return [*declared, *more]


def _nothing() -> tuple[str, ...]:
    """Give a command that succeeds at once."""
    true = shutil.which("true")
    return (true,) if true else (sys.executable, "-c", "")


def _idle() -> tuple[str, ...]:
    """Give a command that does nothing and needs next to no memory."""
    if tail := shutil.which("tail"):
        return (tail, "-f", os.devnull)
    return (sys.executable, "-S", "-E", "-c", "import signal; signal.pause()")


def _port(pod: PlannedPod, services: Iterable[Object], name: str | None) -> int:
    """Resolve ``{port}`` or ``{port:NAME}`` to a port on loopback; 0 if there is none."""
    places = {port.number: port.app for port in pod.ports}
    declared = container_ports(pod.template)
    by_name = {port_name: number for number, port_name in declared if port_name}
    numbers = [number for number, port_name in declared if name is None or port_name == name]
    for service in services:
        for port in service_ports(service):
            if name is None or port.get("name") == name:
                target = port.get("targetPort") or port.get("port")
                number = by_name.get(target) if isinstance(target, str) else target
                numbers.append(number or 0)
    return next((places[number] for number in numbers if number in places), 0)
