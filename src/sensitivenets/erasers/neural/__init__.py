"""What the erasers that are trained by gradient share."""
