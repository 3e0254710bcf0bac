"""Outside search programs: found, run, checked and read. The only package that starts other programs.

`process` runs any program; `tool` finds one; `query` makes a query safe; `hhsuite`, `hmmer` and `mmseqs` hold one
frozen configuration and one function a program.
"""
