"""The study `training`: convolutions forward and backward, and which operations the time of a step goes to."""
