"""How Sphinx builds the site of these pages: `make docs`."""

from meshdemo import __version__

project = "meshdemo"
author = "the meshdemo authors"
project_copyright = "the meshdemo authors, Apache License 2.0"
version = release = __version__

extensions = ["myst_parser"]
myst_heading_anchors = 4  # links to headings, as GitHub has them too
smartquotes = False  # of an option's -- it would make a dash, which nobody can type
nitpicky = True  # a reference to what is not there is a warning, and a warning is an error
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = f"meshdemo {__version__}"
html_show_sphinx = False
html_use_index = False  # it would be empty
