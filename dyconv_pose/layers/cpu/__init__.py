"""The fast execution on CPUs, and the rule that picks a form; all of it computes what ``dynamic_conv.py`` says."""
