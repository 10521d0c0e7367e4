#!/usr/bin/env python3
"""The pickles of torch files, as seeds of torch_file_fuzz.

    python3 make_torch_seeds.py [FILE.pt...] DIRECTORY

../data/torch/plain gave corpus/torch_file.
"""
import argparse
import os
import zipfile


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*")
    parser.add_argument("directory")
    options = parser.parse_args()
    os.makedirs(options.directory, exist_ok=True)
    for path in options.files:
        name = os.path.splitext(os.path.basename(path))[0]
        with zipfile.ZipFile(path) as archive:
            inner = next(entry for entry in archive.namelist() if entry.endswith("/data.pkl"))
            with open(f"{options.directory}/{name}.pkl", "wb") as file:
                file.write(archive.read(inner))


if __name__ == "__main__":
    main()
