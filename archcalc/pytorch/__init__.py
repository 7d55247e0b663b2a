"""The machine: specs as PyTorch models. The only package of archcalc that imports torch."""
