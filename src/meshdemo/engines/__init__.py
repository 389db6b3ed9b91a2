"""Where a mesh runs: what every engine can do, and an engine a package."""
