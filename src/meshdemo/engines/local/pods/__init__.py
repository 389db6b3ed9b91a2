"""Pods as processes: which there are, where, and how they are."""
