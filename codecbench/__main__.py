"""``python -m codecbench`` is the command line."""

from codecbench.cli import main

if __name__ == "__main__":
    main()
