"""Statistics that several studies share; they know no metric and no page but its tables."""
