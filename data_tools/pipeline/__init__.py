"""Featurizing at scale: many inputs into one example store, resumable, on one machine or a Dask cluster.

`inputs` names what is to be done, `job.featurize_inputs` does it; `msaformer featurize` is the command. Importing this
package imports nothing else.
"""
