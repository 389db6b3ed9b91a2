"""Walk through Istio traffic management, and prove each step by counting real answers."""

__version__ = "0.1.0"
