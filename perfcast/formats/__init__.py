"""What users bring: readers of model files, each of which gives a network's layers."""
