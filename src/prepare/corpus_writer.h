// The texts of samples as lines of a UTF-8 file, in the default prompt form ("User: ...", "Bot:
// ..."): what a tokenizer is trained on. Used by `lynceus prepare`.
#pragma once

#include <filesystem>
#include <string>

#include "io/dataset/sample.h"
#include "io/files/file.h"

namespace lynceus::prepare {

class CorpusWriter {
 public:
  /// Creates a temporary file beside `path`; `path` itself appears in close().
  explicit CorpusWriter(std::filesystem::path path);
  /// Without close(): removes what it wrote.
  ~CorpusWriter();
  CorpusWriter(const CorpusWriter&) = delete;
  CorpusWriter& operator=(const CorpusWriter&) = delete;

  void add(const io::Sample& sample);
  /// The temporary file with all that was added so far.
  const std::filesystem::path& written();
  void close();

 private:
  std::filesystem::path path_;
  std::filesystem::path temporary_;
  io::File file_;
  std::string buffer_;
};

}  // namespace lynceus::prepare
