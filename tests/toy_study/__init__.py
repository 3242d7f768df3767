"""A study of the tests: all that a new study consists of, but for its entry in the registry."""
