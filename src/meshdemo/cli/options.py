"""The options: those on every command, and those that several commands declare alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from meshdemo.cli import values
from meshdemo.cli.command import SHARED
from meshdemo.errors import UsageError
from meshdemo.settings import Settings, state_folder

if TYPE_CHECKING:
    from typer.models import OptionInfo

Files = Annotated[
    list[str] | None,
    typer.Option(
        "--filename",
        "-f",
        metavar="FILE",
        help="A file, a folder, an https:// URL or - of YAML. May repeat.",
    ),
]
InjectionMode = Literal["kube-inject", "auto", "none"]
INJECTION_HELP = (
    "Who gets a sidecar: kube-inject: every workload; auto: as Istio's webhook would choose, "
    "by labels; none: nobody."
)
Istioctl = Annotated[
    str | None,
    typer.Option(
        "--istioctl",
        metavar="FILE",
        help="Cluster: the istioctl to use. [default: $MESHDEMO_ISTIOCTL, PATH, what was fetched]",
    ),
]


def _handed_on(flag: str, metavar: str, *names: str) -> OptionInfo:
    """Declare an option for ``istioctl install``."""
    option: OptionInfo = typer.Option(
        *names, metavar=metavar, help=f"For istioctl install: {flag}."
    )
    return option


PROFILE = ("its profile", "NAME")
SETTING = ("--set; may repeat", "KEY=VALUE")
FILE = ("-f; may repeat", "FILE")
IstioProfile = Annotated[str, _handed_on(*PROFILE, "--istio-profile")]
IstioSettings = Annotated[list[str] | None, _handed_on(*SETTING, "--istio-set")]
IstioFiles = Annotated[list[str] | None, _handed_on(*FILE, "--istio-file")]
# install takes istioctl's own spelling as well: there it is about nothing else.
InstallProfile = Annotated[str, _handed_on(*PROFILE, "--profile", "--istio-profile")]
InstallSettings = Annotated[list[str] | None, _handed_on(*SETTING, "--set", "--istio-set")]
InstallFiles = Annotated[list[str] | None, _handed_on(*FILE, "--filename", "--istio-file", "-f")]
Revision = Annotated[
    str,
    typer.Option("--revision", metavar="NAME", help="Cluster: Istio's revision to install or use."),
]
IstioNamespace = Annotated[
    str,
    typer.Option(
        "--istio-namespace",
        metavar="NAME",
        help="Cluster: where istiod lives. [default: istio-system]",
    ),
]
Adopt = Annotated[
    bool,
    typer.Option(
        "--adopt",
        help="Take over objects of these names that meshdemo did not create; down leaves them.",
    ),
]
ForceConflicts = Annotated[
    bool,
    typer.Option(
        "--force-conflicts",
        help="Cluster: set fields that others have set to other values since, as in kubectl.",
    ),
]
Images = Annotated[
    list[str] | None,
    typer.Option(
        "--image",
        metavar="NAME=IMAGE",
        help="Another image for the container or app NAME, as in app=registry/flaskapp. May "
        "repeat.",
    ),
]
Registry = Annotated[
    str,
    typer.Option(
        "--image-registry",
        metavar="HOST[/PATH]",
        help="A mirror of Docker Hub to pull the workloads' images from.",
    ),
]
Lang = Annotated[
    str | None,
    typer.Option(
        "--lang",
        metavar="en|zh",
        help="The language of evidence, causes and what to do about them. [default: "
        "MESHDEMO_LANG, else by your locale]",
    ),
]
Selector = Annotated[
    str | None,
    typer.Option(
        "--selector",
        "-l",
        metavar="LABELS",
        help="Only those with labels, as app=shop,version!=v1.",
    ),
]
StandIn = Annotated[
    list[str] | None,
    typer.Option(
        "--stand-in",
        metavar="[IMAGE]",
        help="Local: run the echo app in place of each image of your files that cannot run here, "
        "or only of these. May repeat.",
    ),
]
From = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="LABELS",
        help="Be another pod with a sidecar than the test client, as app=reviews,version=v2.",
    ),
]
Skip = Annotated[
    list[str] | None,
    typer.Option(
        "--skip",
        metavar="KIND",
        help="Leave the objects of this kind out of your files, as Gateway. May repeat.",
    ),
]
Strict = Annotated[
    bool,
    typer.Option("--strict", help="Let a warning be exit status 2, and nothing be applied."),
]
Explain = Annotated[
    bool, typer.Option("--explain", help="Print the istioctl/kubectl command of each step.")
]
Requests = Annotated[
    int | None,
    typer.Option(
        "--requests",
        metavar="N",
        help="Send exactly so many requests. Without it as many as it takes to be sure.",
    ),
]
Wait = Annotated[
    str,
    typer.Option(
        "--wait",
        metavar="DURATION",
        help="How long the rules may take to reach the test client. It decides nothing: then the "
        "measurement is taken anyway.",
        show_default=True,
    ),
]


MORE_OUTPUTS = {"status": ("wide",), "get": ("wide", "yaml", "name")}
"""What of -o only single commands take."""


def _print_version(value: bool) -> None:
    if value:
        from meshdemo import __version__

        typer.echo(f"meshdemo {__version__}")
        raise typer.Exit


def shared(  # the one declaration of the shared options; settings() reads what came of them
    engine: Annotated[
        Literal["local", "cluster"] | None,
        typer.Option(
            "--engine",
            rich_help_panel=SHARED,
            metavar="local|cluster",
            help="Where the mesh runs. cluster alone means the current context.",
        ),
    ] = None,
    kubeconfig: Annotated[
        str | None,
        typer.Option(
            "--kubeconfig",
            rich_help_panel=SHARED,
            metavar="FILE",
            help="The cluster's kubeconfig; means --engine cluster.",
        ),
    ] = None,
    context: Annotated[
        str | None,
        typer.Option(
            "--context",
            rich_help_panel=SHARED,
            metavar="NAME",
            help="The kubeconfig's context; means --engine cluster.",
        ),
    ] = None,
    namespace: Annotated[
        str | None,
        typer.Option(
            "--namespace",
            "-n",
            rich_help_panel=SHARED,
            metavar="NAME",
            help="Where the objects live. [default: where the recorded run is; the context's, if "
            "a cluster is named; else default]",
        ),
    ] = None,
    state_dir: Annotated[
        str | None,
        typer.Option(
            "--state-dir",
            rich_help_panel=SHARED,
            metavar="DIR",
            help="Where the run is recorded. [default: $MESHDEMO_STATE_DIR, else "
            "~/.local/state/meshdemo]",
        ),
    ] = None,
    output: Annotated[
        Literal["table", "json", "wide", "yaml", "name"],
        typer.Option(
            "--output",
            "-o",
            rich_help_panel=SHARED,
            metavar="table|json",
            help="How the result is printed; status and get also take wide.",
        ),
    ] = "table",
    quiet: Annotated[
        bool,
        typer.Option("--quiet", "-q", rich_help_panel=SHARED, help="Only results and errors."),
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose",
            "-v",
            rich_help_panel=SHARED,
            help="More on how it goes; tracebacks of bugs.",
        ),
    ] = False,
    timeout: Annotated[
        str,
        typer.Option(
            "--timeout",
            rich_help_panel=SHARED,
            metavar="DURATION",
            show_default=True,
            help="How long one step may take, a measurement too (past it, inconclusive): 90s, 5m, "
            "1m30s, or seconds.",
        ),
    ] = "5m",
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            is_eager=True,
            callback=_print_version,
            expose_value=False,
            help="Print the version, and end.",
        ),
    ] = False,
) -> None:
    """Istio traffic management, step by step, on a cluster or with none, proved by counting.

    Examples:
        meshdemo up  # the whole walkthrough, on this machine
        meshdemo route v1=90 v2=10  # a canary
        meshdemo verify  # prove what the rules promise
        meshdemo down  # leave nothing
    """


def settings(ctx: typer.Context) -> Settings:
    """Read the shared options, wherever on the command line they stood."""
    given = ctx.find_root().params
    output, more = given["output"], MORE_OUTPUTS.get(ctx.info_name or "", ())
    if output not in ("table", "json", *more):
        who = " and ".join(name for name, forms in MORE_OUTPUTS.items() if output in forms)
        hint = f"Say -o {' or -o '.join(('table', 'json', *more))}."
        raise UsageError(f"only {who} has -o {output}", hint=hint)
    return Settings(
        engine=given["engine"],
        kubeconfig=given["kubeconfig"],
        context=given["context"],
        namespace=values.namespace(given["namespace"]),
        state_dir=state_folder(given["state_dir"] or ""),
        timeout=values.limit(given["timeout"], "--timeout"),
        output=output,
        quiet=given["quiet"],
        verbose=given["verbose"],
    )
