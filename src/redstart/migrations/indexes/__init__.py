"""Changing indexes without a gap: build beside, prove, let the name lead to the new one, keep the way back."""
