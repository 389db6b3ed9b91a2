"""The local engine: real Envoy and real processes on loopback, from the same manifests."""
