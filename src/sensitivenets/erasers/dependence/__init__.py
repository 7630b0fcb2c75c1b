"""Erasers that lower a measure of statistical dependence."""
