"""What a network is like, in numbers: features from its descriptor alone, without running anything."""
