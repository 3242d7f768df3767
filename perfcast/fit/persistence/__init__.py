"""A predictor on disk: its folder, manifest and arrays, and the checks they pass before they are used."""
