"""Alignments and structures in, arrays out: readers, weights, co-evolution, features, labels, example stores.

Start at `data_tools.formats.read_alignment` and `data_tools.features.featurize`. Nothing here needs torch or knows
msaformer; importing this package imports nothing else.
"""
