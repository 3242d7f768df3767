"""Measures models on the device it runs on; for Python 3.6 and later, with NumPy and a runtime."""
