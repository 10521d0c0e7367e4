// From sources to shards: what all sources of `lynceus prepare` but the generated one share. Rows
// are written in the order in which they are read, rejected ones listed and counted, progress
// shown; a run that was cut off goes on behind its last complete shard; under MPI the ranks share
// the datasets.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "parallel/communicator.h"
#include "prepare/output.h"
#include "prepare/source.h"

namespace lynceus::prepare {

/// Options of all sources that read files.
struct InputConfig {
  std::vector<std::string> input;
  std::string task;
  double max_bad = 0.01;
  bool dry_run = false;

  template <typename Visitor>
  void visit(Visitor& v) {
    v.list("input", input, "files to read");
    v.field("task", task, "name of the task in reports; empty: the dataset's own name");
    v.field("max-bad", max_bad,
            "stop when more than this share of the rows is unusable; fewer than 200 count as 200");
    v.field("dry-run", dry_run, "read and check everything, write nothing, show the counts");
  }
};

/// Of sources that read picture files.
struct PictureConfig {
  std::string root;
  std::string check_pictures = "decode";

  template <typename Visitor>
  void visit(Visitor& v) {
    v.field("root", root, "where the paths of pictures begin; empty: the input file's folder");
    visit_check(v);
  }
  template <typename Visitor>
  void visit_check(Visitor& v) {
    v.choice("check-pictures", check_pictures, {"decode", "header"},
             "decode each once, or look at its type and size only, which is faster");
  }
  PictureCheck check() const {
    return check_pictures == "decode" ? PictureCheck::kDecode : PictureCheck::kHeader;
  }
};

/// One dataset: shards NAME.h5, NAME-1.h5 ... out of one source.
struct PrepareJob {
  std::string name;
  std::string task;
  std::string input;    ///< the file
  std::string options;  ///< what else decides the shards
  std::function<std::unique_ptr<Source>()> open;
};

/// Collective; errors are agreed.
void run_jobs(const PrepareConfig& common, const InputConfig& config,
              const std::vector<PrepareJob>& jobs, parallel::Communicator& world);

}  // namespace lynceus::prepare
