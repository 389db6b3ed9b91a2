"""Meshes of many services, few of which run: how meshdemo grows with what is applied."""

from __future__ import annotations

SERVICE = """\
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec: {{selector: {{app: {name}}}, ports: [{{name: http, port: 80, targetPort: 8080}}]}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: {name}}}
spec:
  host: {name}
  subsets:
  - {{name: v1, labels: {{version: v1}}}}
  - {{name: v2, labels: {{version: v2}}}}
  - {{name: v3, labels: {{version: v3}}}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}}}
spec:
  hosts: [{name}]
  http:
  - match: [{{headers: {{x-user: {{exact: anna}}}}}}]
    route: [{{destination: {{host: {name}, subset: v2}}}}]
  - route: [{{destination: {{host: {name}, subset: v1}}}}]
"""
RUNNING = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: s0}
spec:
  selector: {matchLabels: {app: s0}}
  template:
    metadata: {labels: {app: s0, version: v1}}
    spec: {containers: [{name: app, image: meshdemo/echo, ports: [{containerPort: 8080}]}]}
"""
RULE = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: more-{number}}}
spec:
  hosts: [more-{number}.example]
  http: [{{route: [{{destination: {{host: s0, subset: v1}}}}]}}]
"""


def manifests(count: int) -> str:
    """Give so many services, each with three subsets and a VirtualService; one has a pod."""
    return "---\n".join([*(SERVICE.format(name=f"s{n}") for n in range(count)), RUNNING])


def one_more_rule(number: int) -> str:
    """Give a VirtualService beside them."""
    return RULE.format(number=number)
