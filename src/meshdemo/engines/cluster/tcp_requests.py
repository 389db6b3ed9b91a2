"""Connections from the test client: a loop like that for HTTP, whose records are read alike.

curl cannot do it: it has telnet://, and never ends by itself where the server keeps the connection
open. So it asks the client's image for a bash, which opens connections itself (/dev/tcp).
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from meshdemo.engines.cluster.api import remote_exec as remote
from meshdemo.system.shell import NO_SUCH_COMMAND
from meshdemo.verdict.traffic import HELLO

if TYPE_CHECKING:
    from meshdemo.verdict.traffic import Request

NEEDED = "It needs bash for tcp://, and sh."

# A bash before 5 has no EPOCHREALTIME: there it is not known how long it takes.
# Failures are said in curl's words and numbers, so that they are counted by the same names.
# A line that is not ended by the time that the connection is counts too.
# Standard error is kept open (as 4) while it is silenced: where it ends, runtimes end standard
# input as well, and by that the script would take it that the connection is gone.
SCRIPT = """\
exec 4>&2 2>/dev/null
command -v bash >/dev/null 2>&1 || exit {not_found}
exec 3<&0
bash -c '
for ((i = 0; i < {count}; i++)); do
  began=${{EPOCHREALTIME//[.,]/}}
  said=$({{ {{ echo {hello} >&5; IFS= read -r -t {limit} line <&5; code=$?
    printf %s "$line"; [ -n "$line" ] && code=0; exit "$code"
  }} 5<>/dev/tcp/{host}/{port}; }} 2>&1)
  code=$?
  took=$(( ${{EPOCHREALTIME//[.,]/}} - began ))
  printf -v took %d.%06d $((took / 1000000)) $((took % 1000000))
  took=${{began:+$took}}
  case "$code $said" in
    "0 "*) printf "%s\\n{mark} 200 %s\\n" "$said" "$took"; continue ;;
    *"onnection refused"*) number=7 ;;
    *"ot known"*|*"esolution"*|*"o address"*) number=6 ;;
    *) number=56; [ "$code" -gt 128 ] && number=28 ;;
  esac
  printf "curl: (%s) \\n{mark} 000 %s\\n" "$number" "$took"
done' &
{held}echo '{mark} done' {count}
"""


def script(request: Request, count: int, mark: str) -> str:
    """Write the loop for a request that was checked: what is put in needs no quotes."""
    where = urlsplit(request.url)
    return SCRIPT.format(
        not_found=NO_SUCH_COMMAND,
        hello=HELLO,
        limit=request.whole_seconds,
        host=where.hostname,
        port=where.port,
        mark=mark,
        count=count,
        held=remote.HELD,
    )
