"""Derivations of programs over vectors and matrices."""
