"""The API server and its protocols."""
