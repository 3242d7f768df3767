"""What the workflow needs of Python: checks before it starts, each rule's parameters, what scripts do at their edge."""
