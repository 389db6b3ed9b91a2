"""The cluster engine: a real Kubernetes, and Istio as ``istioctl`` installs it.

Talks to the API server by ``api.kube`` (the only user of the kubernetes client) and runs istioctl.
"""

from meshdemo.engines.cluster.engine import ClusterEngine

__all__ = ["ClusterEngine"]
