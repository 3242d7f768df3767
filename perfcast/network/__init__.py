"""Networks as layers: their shapes and multiply-accumulates."""
