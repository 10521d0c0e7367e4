// DIR/NAME-rejects.jsonl: the rows of a dataset that could not be used, one line each:
//
//   {"row": 17, "reject": "missing picture", "problem": "x.jsonl:17: key image: ..."}
//
// The file is created with the first rejected row.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "io/files/file.h"
#include "prepare/rows/source.h"

namespace lynceus::prepare {

class RejectList {
 public:
  /// Continues after the first `bytes` of an earlier list with these `counts`; 0 removes the list.
  RejectList(std::filesystem::path path, uint64_t bytes, std::map<std::string, int64_t> counts);

  /// `number` is that of the row, from 1.
  void add(int64_t number, const SourceRow& row);
  /// Syncs the list to disk, before a journal records bytes().
  void sync();

  int64_t count() const;
  const std::map<std::string, int64_t>& counts() const { return counts_; }  ///< by kind
  uint64_t bytes() const { return bytes_; }
  const std::string& first_problem() const { return first_problem_; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  io::File file_;
  uint64_t bytes_;
  std::map<std::string, int64_t> counts_;
  std::string first_problem_;
};

}  // namespace lynceus::prepare
