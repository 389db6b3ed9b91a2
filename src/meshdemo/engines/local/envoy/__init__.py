"""The Envoy binary, its configuration files and its admin interface."""
