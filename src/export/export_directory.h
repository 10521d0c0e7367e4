// The directory of an export. It is written under another name, synchronized to disk, then renamed,
// so that a directory with the requested name is complete.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace lynceus::weight_export {

/// UsageError if `output` exists, unless it may be overwritten and contains only files that an
/// export writes.
void refuse_existing(const std::filesystem::path& output, bool overwrite);

class ExportDirectory {
 public:
  /// Creates OUTPUT.partial, without files of an interrupted export. IoError if there are fewer
  /// than `bytes` of free space.
  ExportDirectory(std::filesystem::path output, bool overwrite, uint64_t bytes);
  /// Removes it unless commit() was called.
  ~ExportDirectory();
  ExportDirectory(const ExportDirectory&) = delete;
  ExportDirectory& operator=(const ExportDirectory&) = delete;

  const std::filesystem::path& path() const { return partial_; }
  /// Renames it to OUTPUT; an earlier export there is removed.
  void commit();

 private:
  std::filesystem::path output_;
  std::filesystem::path partial_;
  bool overwrite_;
  bool committed_ = false;
};

}  // namespace lynceus::weight_export
