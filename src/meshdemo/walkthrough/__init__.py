"""The walkthrough: install, inject, deploy, route, verify; written once for every engine.

    plan.py                      what was asked for
    steps.py                     the steps in order, as data, with the commands to type
    script.py                    the same as a shell script
    up.py                        all of it, in the article's order
    deploy.py                    deploy and inject, in the workshop's order
    readiness_recheck.py         whether the pods are still ready when a step is done
    sidecars.py                  which pods got none though one was asked for
    client.py                    the test client that joins the user's objects
    strict_check.py              --strict: warnings keep all from being applied
    route.py                     rules applied and cleared, and which are in force
    splits.py                    a split of the traffic, as one VirtualService
    verify.py                    verify: wait for the rules, measure once, judge
    explain.py                   explain: one request, by the rules and as it happened
    written.py                   where applied objects were written: file and line
    request_context.py           what decides on the request that verify and explain send
    changes_while_measuring.py   what changed during a measurement, so that it proves nothing
    pod_selection.py             which pods it is about: the test client, those of a Service
    resources.py                 get and describe
    deleting.py                  delete
    images.py                    images from another registry, or other ones
    logs.py                      whose log is meant
    bundled.py                   the article's manifests
    events.py                    what a watcher sees while a step runs

A step is a generator: it yields events for whoever watches, and returns its result.
"""
