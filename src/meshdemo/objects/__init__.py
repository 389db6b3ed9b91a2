"""Objects as they are written in YAML: reading them, their shape, and places inside of them."""
