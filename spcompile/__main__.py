"""python -m spcompile"""

from spcompile.cli import program

if __name__ == "__main__":
    program()
