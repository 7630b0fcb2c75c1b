"""SensitiveNets, the method of the paper: each equation in the file that its name says."""
