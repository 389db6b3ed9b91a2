"""The local engine: real Envoy and real processes on loopback, from the same manifests.

Nothing is imported here: each of its app processes would pay for it, in time and memory.
"""
