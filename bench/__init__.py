"""Measurements. Nothing is asserted: a number depends on the machine it was taken on."""
