// The options of `lynceus inspect`, and its report on one path.
#pragma once

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
    v.field("names", names, "list only tensors with this name; * matches any text");
    v.field("all", all, "list all tensors, not only the first 20");
    v.field("sample", sample, "dataset shard: show the sample with this number, from 0; -1: none");
    v.field("extract", extract,
            "dataset shard: write the images of this sample to --output; -1: none");
    v.field("output", output, "directory for the images of --extract");
    v.field("overwrite", overwrite, "allow --extract to replace files");
    v.field("verify", verify, "read everything and check it against its digests");
    v.field("json", json, "print one line of JSON per path, with all tensors");
  }
};

/// Members in order: numbers, strings, and arrays of flat objects ("tensors", "images" ...), each
/// of which is printed as a table.
using Report = io::JsonValue;

}  // namespace lynceus::cli
