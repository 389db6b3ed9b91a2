"""The namespace's objects: applying and removing them, and whose they are."""
