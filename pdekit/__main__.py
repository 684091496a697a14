"""``python -m pdekit train ...``: the console command ``pdekit``."""

from pdekit.cli.main import main

if __name__ == "__main__":
    main()
