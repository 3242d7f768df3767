"""Campaigns on an external drive: carried to a device that no network reaches, and their answers brought back."""
