"""What Istio calls the containers that injection adds to a pod."""

from __future__ import annotations

ISTIO_PROXY = "istio-proxy"
"""The sidecar."""
ISTIO_INIT = "istio-init"
"""The init container that sets up iptables, so that the pod's traffic goes through the sidecar."""
ISTIO_VALIDATION = "istio-validation"
"""The init container in place of istio-init where Istio's CNI plugin sets up iptables."""
