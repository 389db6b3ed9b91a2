"""The processes of a mesh: what supervisord is told and asked, and how lost ones are found.

Nothing is imported here: psutil, which only orphans.py needs, costs a quick command too much.
"""
