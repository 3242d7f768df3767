"""Offline bundles: campaigns for devices that no network reaches, and their answers."""
