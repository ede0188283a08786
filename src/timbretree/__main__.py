"""``python -m timbretree``, which is also what launchers of several processes start."""

from timbretree.cli import main

if __name__ == "__main__":
    main()
