"""Rules that infer shapes, weights and multiply-accumulates, a module for each group of layers."""
