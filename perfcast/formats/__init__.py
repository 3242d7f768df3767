"""What users bring: readers of model files, each of which gives a network's layers."""

KERAS_CONFIG = "config.json"
"""The member of a `.keras` archive, or file of its unpacked folder, that holds the configuration."""

HDF5_ENDINGS = (".h5", ".hdf5")
"""What names of files end in that Keras 2, and Keras 3 on request, saved models to."""
