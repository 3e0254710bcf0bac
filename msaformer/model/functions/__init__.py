"""Hand-written autograd functions: the network's sub-layers piece by piece, with exact backward passes.

Each keeps its input and computes everything else again in the backward pass, one piece at a time, so that neither pass
ever holds a table wider than the track. On a CPU the pieces also stay in its caches, which more than pays for the
repeated products. The modules in `msaformer/model` own the parameters and call these functions.
"""
