import os
import sys


def main():
    print("hello,", sys.argv[1], "from", os.path.dirname(os.path.dirname(sys.executable)), "as", os.getuid())
