"""Encoders trained against readers of the attributes: six methods, one training loop."""
