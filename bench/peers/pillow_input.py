"""Images per second with Pillow: open, decode, resize (bicubic), crop; nothing is normalised.

    python3 bench/peers/pillow_input.py --images DIR             one JSON line per size
    python3 bench/peers/pillow_input.py --images DIR --serve     "224 evaluation" on stdin, the
                                                                 seconds and CPU seconds of a pass out

One thread, as bench_input --threads 1 does it and from the same files: `evaluation` resizes the
shorter side and crops the centre, `training` crops at random (scale 0.9 to 1, ratio 3/4 to 4/3) and
resizes what is left. The peer of bench/bench_input.cpp; bench/compare_input.py runs both.
"""
import argparse
import json
import math
import os
import random
import statistics
import sys
import time

import PIL
from PIL import Image


def evaluation(image, size):
    width, height = image.size
    if width <= height:
        resized = (size, int(size * height / width))
    else:
        resized = (int(size * width / height), size)
    left, top = round((resized[0] - size) / 2), round((resized[1] - size) / 2)
    return image.resize(resized, Image.BICUBIC).crop((left, top, left + size, top + size))


def random_box(width, height, draw):
    """torchvision's RandomResizedCrop with the scale and the ratio of the training transform."""
    for _ in range(10):
        area = width * height * draw.uniform(0.9, 1.0)
        ratio = math.exp(draw.uniform(math.log(3 / 4), math.log(4 / 3)))
        box_width, box_height = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < box_width <= width and 0 < box_height <= height:
            left = draw.randint(0, width - box_width)
            top = draw.randint(0, height - box_height)
            return left, top, left + box_width, top + box_height
    box_width = min(width, round(height * 4 / 3))
    box_height = min(height, round(width * 4 / 3))
    left, top = (width - box_width) // 2, (height - box_height) // 2
    return left, top, left + box_width, top + box_height


def training(image, size, draw):
    return image.crop(random_box(*image.size, draw)).resize((size, size), Image.BICUBIC)


def one_pass(files, size, transform):
    draw = random.Random(1)
    begin, cpu = time.perf_counter(), time.process_time()
    for file in files:
        with Image.open(file) as opened:
            image = opened.convert("RGB")
        evaluation(image, size) if transform == "evaluation" else training(image, size, draw)
    return time.perf_counter() - begin, time.process_time() - cpu


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", required=True, help="folder of pictures")
    parser.add_argument("--size", default="224,420", help="sides of the result, pixels")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--serve", action="store_true", help="one pass for each line of stdin")
    parser.add_argument("--version", action="store_true", help="print Pillow's and leave")
    arguments = parser.parse_args()
    if arguments.version:
        print(PIL.__version__)
        return
    files = sorted(entry.path for entry in os.scandir(arguments.images) if entry.is_file())
    if arguments.serve:
        for line in sys.stdin:
            size, transform = line.split()
            print("%.6f %.6f" % one_pass(files, int(size), transform), flush=True)
        return
    for size in map(int, arguments.size.split(",")):
        rates = {}
        for transform in ("evaluation", "training"):
            one_pass(files, size, transform)
            seconds = [one_pass(files, size, transform)[0] for _ in range(arguments.rounds)]
            rates[transform] = len(files) / statistics.median(seconds)
        print(json.dumps({"figure": "input", "program": "pillow " + PIL.__version__, "size": size,
                          "images": len(files), "images_per_s": rates["evaluation"], **rates}))


if __name__ == "__main__":
    main()
