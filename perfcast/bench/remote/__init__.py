"""Devices that are reached by a shell: over SSH, or on this machine where models run in a container."""
