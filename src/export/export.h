// `lynceus export`: the values of a checkpoint for other programs, as safetensors under the
// released Lynx names, and with `merged` also the LLM as a Hugging Face directory. On one rank. No
// model is built: tensors are copied one by one from their files to the new ones.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/config/faults.h"

namespace lynceus::weight_export {

struct ExportConfig {
  std::string checkpoint;
  std::string output;
  std::string what = "trainable";
  std::string dtype = "f32";
  double shard_gib = 4;
  bool overwrite = false;

  template <typename Visitor>
  void visit(Visitor& v) {
    v.field("checkpoint", checkpoint,
            "a checkpoint, or a run, whose newest intact checkpoint is used");
    v.field("output", output, "directory to create");
    v.choice(
        "what", what, {"trainable", "merged"},
        "trainable: the weights in the checkpoint; merged: a Hugging Face directory of the LLM, "
        "and next to it the modules that Lynx adds");
    v.choice("dtype", dtype, {"f32", "bf16", "f16"}, "type of the exported values");
    v.field("shard-gib", shard_gib, "size in GiB at which a new file begins; 0: one file");
    v.field("overwrite", overwrite, "replace an earlier export in this directory");
  }
  void check(ConfigFaults* faults) const;
};

struct ExportAccount {
  std::filesystem::path checkpoint;  ///< that was exported
  int64_t step = 0;
  int64_t tensors = 0;
  uint64_t bytes = 0;
  std::vector<std::string> left_out;  ///< one sentence per module that is not in the directory
};

/// The directory gets its name when it is complete. Errors: UsageError if it already exists;
/// InputError if the input is damaged, is no checkpoint, or differs from what the checkpoint was
/// trained with; IoError, which for a lack of space is thrown before anything is written.
ExportAccount export_checkpoint(const ExportConfig& config);

}  // namespace lynceus::weight_export
