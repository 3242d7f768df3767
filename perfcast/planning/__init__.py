"""A campaign before it runs: its settings, and what it will take."""
