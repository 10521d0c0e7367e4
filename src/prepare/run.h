// Writes the rows of sources to dataset shards, in input order. Rejected rows are listed and
// counted. An interrupted run continues after its last complete shard. Under MPI the ranks share
// the datasets. The generated shapes have no rows: sources/shapes_writer.h writes them.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "parallel/communicator.h"
#include "prepare/image_reader.h"
#include "prepare/output.h"
#include "prepare/rows/source.h"

namespace lynceus::prepare {

/// Options that all sources of files share.
struct InputConfig {
  std::vector<std::string> input;
  std::string task;
  double max_bad = 0.01;
  bool dry_run = false;

  template <typename Visitor>
  void visit(Visitor& v) {
    visit(v, "files to read, or patterns in quotes: 'part-*.tar'");
  }
  template <typename Visitor>
  void visit(Visitor& v, const char* what_input_is) {
    v.list("input", input, what_input_is);
    v.field("task", task, "task name stored in the shards; empty: the name of the dataset");
    v.field(
        "max-bad", max_bad,
        "stop if more than this share of the rows is rejected; fewer than 200 rows count as 200");
    v.field("dry-run", dry_run, "read and check everything, print the counts, write nothing");
  }
};

/// Options of sources that read image files.
struct ImageConfig {
  std::string root;
  std::string check_pictures = "decode";

  template <typename Visitor>
  void visit(Visitor& v) {
    v.field("root", root,
            "directory that image paths are relative to; empty: that of the input file");
    visit_check(v);
  }
  template <typename Visitor>
  void visit_check(Visitor& v) {
    v.choice("check-pictures", check_pictures, {"decode", "header"},
             "how to check each image: decode it once, or read only its type and size (faster)");
  }
  ImageCheck check() const {
    return check_pictures == "decode" ? ImageCheck::kDecode : ImageCheck::kHeader;
  }
};

/// One dataset: the shards NAME.h5, NAME-1.h5 ... of one source.
struct PrepareJob {
  std::string name;
  std::string task;
  std::string input;    ///< file or folder
  std::string options;  ///< everything else that determines the shards, for the journal
  std::function<std::unique_ptr<Source>()> open;
  /// Differs when the input has changed; null: size and time of the file.
  std::function<std::string()> version = nullptr;
};

/// Writes or, in a dry run, counts all datasets, and prints the summary. Collective; errors are
/// agreed. InputError if no dataset has a sample, also in a dry run.
void run_jobs(const PrepareConfig& common, const InputConfig& config,
              const std::vector<PrepareJob>& jobs, parallel::Communicator& world);

}  // namespace lynceus::prepare
