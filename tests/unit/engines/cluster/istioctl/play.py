"""Be an istioctl that answers from a file; the copy beside ``script.json`` is run as a program."""

import json
import sys
import time
from pathlib import Path

here = Path(__file__).parent
script = json.loads((here / "script.json").read_text(encoding="utf-8"))
argv = sys.argv[1:]
stdin = "" if "-" not in argv else sys.stdin.read()
with (here / "calls.jsonl").open("a", encoding="utf-8") as calls:
    calls.write(json.dumps({"argv": argv, "stdin": stdin}) + "\n")
for entry in script:
    if argv[: len(entry["argv"])] == entry["argv"]:
        sys.stdout.write(stdin if entry.get("echo") else entry.get("stdout", ""))
        sys.stdout.flush()
        sys.stderr.write(entry.get("stderr", ""))
        time.sleep(entry.get("hangs", 0))
        sys.exit(entry.get("exit", 0))
command = " ".join(argv[:1])
sys.stderr.write(f'Error: unknown command "{command}" for "istioctl"\n')
sys.stderr.write("Run 'istioctl --help' for usage.\n")
sys.exit(64)
