// `lynceus export`: the values of a checkpoint as other programs read them, safetensors under the
// released Lynx names, and with `merged` the LLM beside them as a Hugging Face directory. One rank;
// no model is built: tensors pass one by one from where they lie to where they go.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/config_faults.h"

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
    v.field("checkpoint", checkpoint, "a run, whose newest checkpoint is taken, or a checkpoint");
    v.field("output", output, "directory to make");
    v.choice("what", what, {"trainable", "merged"},
             "trainable: what the checkpoint holds; merged: a Hugging Face directory of the LLM, "
             "and beside it all that Lynx adds to it");
    v.choice("dtype", dtype, {"f32", "bf16", "f16"}, "of the numbers written");
    v.field("shard-gib", shard_gib, "GiB after which a new file begins; 0: never");
    v.field("overwrite", overwrite, "replace what an earlier export wrote to the directory");
  }
  void check(ConfigFaults* faults) const;
};

struct ExportAccount {
  std::filesystem::path checkpoint;  ///< that was taken
  int64_t step = 0;
  int64_t tensors = 0;
  uint64_t bytes = 0;
  std::vector<std::string> left_out;  ///< a sentence a module that is not in the directory
};

/// The directory appears under its name when it is complete, or not at all. Errors: UsageError for
/// a directory that is there; InputError for what is damaged, is no checkpoint, or is not what it
/// was trained with; IoError, without space before anything is written.
ExportAccount export_checkpoint(const ExportConfig& config);

}  // namespace lynceus::weight_export
