"""What a fit leaves behind: frozen maps of arrays, and the folders they are saved in."""
