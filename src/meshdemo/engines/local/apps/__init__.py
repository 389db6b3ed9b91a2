"""The processes of the built-in images, and the test client's ``curl``.

Each app is a program of its own, started once a pod: what belongs here starts quickly and loads
nothing of the engine. The engine tells an app what its pod is by environment variables that
begin with ``MESHDEMO_``; everything else in its environment is the container's.
"""
