"""Training networks on data: what accuracy costs, by what is trained and by which optimizer."""
