"""What papers print of networks, held against what is computed.

Each network family has a file of printed figures and claims beside its spec, `published/NAME.yaml`;
a spec may hold the same two keys itself.
"""
