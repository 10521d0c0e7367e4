"""The samples of a measured step: the same as bench/support/workload.cpp draws from the seed.

    python3 workload.py --batch 64 --seed 1    frames and text tokens of each mixed sample, a line

`bench_step --mix lengths --samples` prints the same lines, which a test compares.
"""
import argparse
import math

MASK = (1 << 64) - 1
TEXT, IMAGE = 0, 1


def mix64(z):
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def hash_name(name):
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = ((value ^ byte) * 0x100000001B3) & MASK
    return value


class CounterRandom:
    """core/random.h: every value is a function of seed, name and index."""

    def __init__(self, seed, name):
        self.key = mix64(hash_name(name) ^ mix64((seed + 0x9E3779B97F4A7C15) & MASK))

    def bits(self, index):
        return mix64((self.key + (index + 1) * 0x9E3779B97F4A7C15) & MASK)

    def uniform(self, index):
        return (self.bits(index) >> 11) * 2.0 ** -53

    def below(self, index, bound):
        return (self.bits(index) * bound) >> 64

    def normal(self, index):
        radius = math.sqrt(-2.0 * math.log(1.0 - self.uniform(2 * index)))
        return radius * math.cos(2.0 * math.pi * self.uniform(2 * index + 1))


def equal_samples(count, text):
    """[(frames, text tokens)] of one picture each."""
    return [(IMAGE, text)] * count


def mixed_samples(count, video_frames, seed):
    """30 % text alone, 15 % videos, the rest images; lengths log-normal, cut to a range."""
    kind, length = CounterRandom(seed, "mix kind"), CounterRandom(seed, "mix length")

    def draw(index, middle, deviation, least, most):
        return min(max(math.floor(middle * math.exp(deviation * length.normal(index))), least),
                   most)

    samples = []
    for index in range(count):
        drawn = kind.uniform(index)
        if drawn < 0.30:
            samples.append((TEXT, draw(index, 160, 0.7, 16, 512)))
        elif drawn < 0.45:
            samples.append((video_frames, draw(index, 32, 0.5, 8, 96)))
        else:
            samples.append((IMAGE, draw(index, 40, 0.6, 8, 160)))
    return samples


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=64, help="samples")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--frames", type=int, default=5, help="pictures of a video")
    arguments = parser.parse_args()
    for frames, text in mixed_samples(arguments.batch, arguments.frames, arguments.seed):
        print(frames, text)


if __name__ == "__main__":
    main()
