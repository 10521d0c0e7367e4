// state.h5 while all ranks write it.
#pragma once

#include <string>
#include <vector>

#include "io/checkpoint/checkpoint.h"
#include "io/checkpoint/layout.h"
#include "io/checkpoint/manifest.h"
#include "io/checkpoint/snapshot.h"
#include "io/files/file.h"
#include "parallel/communicator.h"

namespace lynceus::io {

/// state.h5 while it is being written. `world` and `plans` must outlive it.
class StateFile {
 public:
  StateFile(parallel::Communicator& world, const std::vector<TensorPlan>& plans, std::string path)
      : world_(world), plans_(plans), path_(std::move(path)) {}

  /// Collective. Returns the agreed failure, empty if there is none. Fills in the writer's part of
  /// the manifest on rank 0. `reserve`: allocate the space before the first write, so that no write
  /// can find the disk full.
  std::string write(const RowsOf& rows, bool reserve, Manifest& manifest);

 private:
  std::string lay_out(bool reserve) const;
  void open(const std::string& offsets);
  void write_tensors(const RowsOf& rows, std::string& failure);
  void finish(std::string& failure);
  void describe(Manifest& manifest, const std::vector<std::string>& digests);

  parallel::Communicator& world_;
  const std::vector<TensorPlan>& plans_;
  std::string path_;
  File file_;
  std::vector<ByteRange> places_;
  std::string digests_;  // this rank's, one line per plan: "plan first_block hex hex ..."
};

}  // namespace lynceus::io
