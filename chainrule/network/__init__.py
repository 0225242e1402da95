"""Fully connected networks as programs of the language: layers, losses, initial parameters."""
