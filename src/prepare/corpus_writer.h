// The texts of samples as lines of a UTF-8 file in the default prompt template ("User: ...", "Bot:
// ..."), for training a tokenizer.
#pragma once

#include <filesystem>
#include <string>

#include "io/dataset/sample.h"
#include "io/files/file.h"

namespace lynceus::prepare {

class CorpusWriter {
 public:
  /// Creates `path` + ".tmp", which close() renames to `path`.
  explicit CorpusWriter(std::filesystem::path path);
  /// Without close(): removes the temporary file.
  ~CorpusWriter();
  CorpusWriter(const CorpusWriter&) = delete;
  CorpusWriter& operator=(const CorpusWriter&) = delete;

  void add(const io::Sample& sample);
  /// Flushes; returns the temporary file, which has all texts added so far.
  const std::filesystem::path& written();
  void close();

 private:
  std::filesystem::path path_;
  std::filesystem::path temporary_;
  io::File file_;
  std::string buffer_;
};

}  // namespace lynceus::prepare
