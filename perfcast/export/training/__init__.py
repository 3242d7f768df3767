"""Programs that train: a Keras model's loss, gradients and updates as one graph."""
