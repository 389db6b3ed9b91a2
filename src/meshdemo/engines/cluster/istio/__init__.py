"""Istio itself: istioctl, installing, verifying and removing it."""
