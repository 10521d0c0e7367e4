// What `lynceus inspect` found of one path, and its two forms: text for people, JSON for scripts.
#pragma once

#include <filesystem>
#include <string>

#include "io/files/json_value.h"

namespace lynceus::cli {

struct InspectConfig {
  std::string names = "*";
  bool all = false;
  int64_t sample = -1;
  int64_t extract = -1;
  std::string output;
  bool overwrite = false;
  bool verify = false;
  bool json = false;

  template <typename Visitor>
  void visit(Visitor& v) {
    v.field("names", names, "only tensors of these names; * stands for any text");
    v.field("all", all, "list every tensor, not only the first ones");
    v.field("sample", sample, "of a dataset shard: show the sample of this number, from 0");
    v.field("extract", extract, "of a dataset shard: write this sample's pictures to --output");
    v.field("output", output, "directory for what --extract writes");
    v.field("overwrite", overwrite, "let --extract replace files");
    v.field("verify", verify, "read everything and hold it against its digests");
    v.field("json", json, "one JSON object a path, a line each, with all tensors");
  }
};

/// Members in order: numbers and texts, lists of one-line objects ("tensors", "media", ...), each
/// shown as a table.
using Report = io::JsonValue;

/// Each reads one kind of path; InputError for what is damaged or is not of that kind.
Report inspect_shard(const std::filesystem::path& path, const InspectConfig& config);
Report inspect_checkpoint(const std::filesystem::path& path, const InspectConfig& config);
Report inspect_run(const std::filesystem::path& path, const InspectConfig& config);
Report inspect_weights(const std::filesystem::path& path, const InspectConfig& config);

/// "12.3 MB", decimal.
std::string in_megabytes(uint64_t bytes);

}  // namespace lynceus::cli
