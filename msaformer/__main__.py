"""`python -m msaformer` is the command `msaformer`."""

from msaformer.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
