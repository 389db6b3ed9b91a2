"""The machine underneath: programs, files, locks, time, the web, numbers in words."""
