"""The rules of a shop, for whatever runs meshdemo in other places."""

from __future__ import annotations

RULES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop]
  http:
  - match: [{uri: {prefix: /old}}]
    redirect: {uri: /new}
  - route: [{destination: {host: shop}}]
"""
