"""Pods: how they are, why they fail, and what they write."""
