"""Tests gpu_figures.py on lines whose ratios are known."""
import unittest

import gpu_figures

SAME = {"preset": "7b", "precision": "bf16", "layers": 32, "vision_layers": 39, "image": 224,
        "batch": 64, "rows": 4096, "pictures": 64, "device": "x"}


def step(program, median, peak_mib, mix="none", **more):
    return {"figure": "step", "program": program, "mix": mix, "peak_mib": peak_mib, **SAME,
            "seconds": {"min": median - 0.1, "median": median, "max": median + 0.1}, **more}


def by_against(lines):
    return {line["against"] + (", memory" if line["what"].endswith("memory") else ""): line
            for line in lines}


class Figures(unittest.TestCase):
    def test_steps_of_the_same_work_are_compared(self):
        lines = by_against(gpu_figures.step_ratios([
            step("lynceus", 1.0, 1000, mfu=0.5), step("pytorch", 1.3, 1500, mode="eager"),
            step("pytorch", 1.1, 900, mode="blocks"),
            {**step("pytorch", 9.0, 1, mode="whole"), "rows": 4095}]))
        self.assertEqual(lines["matrix rate"]["ratio"], 0.5)
        self.assertFalse(lines["matrix rate"]["holds"])
        self.assertAlmostEqual(lines["PyTorch eager"]["ratio"], 1.3)
        self.assertTrue(lines["PyTorch eager"]["holds"])
        self.assertAlmostEqual(lines["PyTorch eager"]["least"], round(1.2 / 1.1, 4))
        self.assertAlmostEqual(lines["PyTorch eager"]["most"], round(1.4 / 0.9, 4))
        self.assertTrue(lines["PyTorch blocks"]["holds"])
        self.assertAlmostEqual(lines["PyTorch eager, memory"]["ratio"], 1.5)
        self.assertFalse(lines["PyTorch blocks, memory"]["holds"])
        self.assertNotIn("PyTorch whole", lines)  # another batch

    def test_mixed_lengths_promise_more_over_compiled(self):
        lines = by_against(gpu_figures.step_ratios([
            step("lynceus", 1.0, 1000, mix="lengths", mfu=0.6),
            step("pytorch", 1.1, 1500, mix="lengths", mode="blocks")]))
        self.assertFalse(lines["PyTorch blocks"]["holds"])

    def test_attention_is_compared_with_the_best_backend(self):
        case = {"figure": "attention", "case": "vision 257", "direction": "forward",
                "precision": "bf16", "rows": 257, "device": "x"}
        lines = gpu_figures.attention_ratios([
            {**case, "program": "lynceus", "share": 0.3,
             "microseconds": {"min": 9, "median": 10, "max": 11}},
            {**case, "program": "pytorch", "best": "cudnn",
             "microseconds": {"min": 8, "median": 9, "max": 10}}])
        self.assertEqual([(line["against"], line["ratio"], line["holds"]) for line in lines],
                         [("SDPA cudnn", 0.9, False)])

    def test_kernels_are_compared_with_the_copy(self):
        kernel = {"figure": "kernel", "program": "lynceus", "precision": "f32",
                  "copy_gb_per_s": 100.0, "gb_per_s": {"min": 70, "median": 85, "max": 90}}
        lines = gpu_figures.kernel_ratios([{**kernel, "kernel": "copy", "share": 1.0},
                                           {**kernel, "kernel": "add", "share": 0.85}])
        self.assertEqual([(line["what"], line["ratio"], line["least"], line["holds"])
                          for line in lines], [("add f32", 0.85, 0.7, True)])


if __name__ == "__main__":
    unittest.main()
