"""What a pod's sidecar was told, and whether it follows it yet."""
