"""A mesh for one command alone: real Envoys, and stand-ins that the command itself serves.

Nothing of it is recorded, and nothing outlives the command, whatever ends it. Pods have no sidecar
of their own: what rules say is done by that of the client.

    pods.py        where each stand-in listens
    event_loop.py  the thread in which all of it happens
    stand_ins.py   what answers there
    proxies.py     what the Envoy of a client, or a gateway, is configured with
    envoys.py      that Envoy, as a process
    proxy_client.py  who sends to it
"""
