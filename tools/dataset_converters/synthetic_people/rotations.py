"""Rotations about the body axes: X to the person's left, Y up, Z forward."""

import numpy as np


def rot_x(degrees: float) -> np.ndarray:
    """Returns the (3, 3) float64 rotation about X; positive tips Y towards Z."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def rot_y(degrees: float) -> np.ndarray:
    """Returns the (3, 3) float64 rotation about Y; positive turns Z towards X."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def rot_z(degrees: float) -> np.ndarray:
    """Returns the (3, 3) float64 rotation about Z; positive tips X towards Y."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
