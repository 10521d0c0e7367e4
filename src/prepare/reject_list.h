// The rows of a dataset that gave no sample, DIR/NAME-rejects.jsonl:
//
//   {"row": 17, "reject": "missing picture", "problem": "x.jsonl:17: key image: ..."}
//
// Made with the first of them. Written by `lynceus prepare`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "io/files/file.h"
#include "prepare/source.h"

namespace lynceus::prepare {

class RejectList {
 public:
  /// Goes on behind the first `bytes` of an earlier list, which held `counts`; 0 removes it.
  RejectList(std::filesystem::path path, uint64_t bytes, std::map<std::string, int64_t> counts);

  /// `number`: of the row, from 1.
  void add(int64_t number, const SourceRow& row);
  /// Makes durable what was added, for a journal that names bytes().
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

/// "2 missing picture, 1 empty text"
std::string reject_text(const std::map<std::string, int64_t>& counts);

}  // namespace lynceus::prepare
