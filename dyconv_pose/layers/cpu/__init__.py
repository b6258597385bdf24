"""The fast execution on CPUs, in tiles; it computes what ``dynamic_conv.py`` says."""
