"""The walkthrough: install, inject, deploy, route, verify; written once for every engine.

    plan.py          what was asked for
    steps.py         the steps in order, as data, with the commands a person would type
    script.py        the same as a shell script
    up.py            all of it, in the article's order
    workloads.py     deploy and inject, in the workshop's order
    second_look.py   whether the pods are still ready when a step is done
    sidecars.py      which pods got none though one was asked for
    client.py        the test client that joins the user's objects
    routing.py       rules applied and cleared, and which are in force
    splits.py        a split of the traffic, as one VirtualService
    measuring.py     verify: wait for the rules, measure once, judge
    meanwhile.py     what changed while it was measured
    pods.py          which pods it is about: the test client, the versions of a service
    logs.py          whose log is meant
    bundled.py       the article's manifests
    events.py        what a watcher sees meanwhile

A step is a generator: it yields events for whoever watches, and returns its result.
"""
