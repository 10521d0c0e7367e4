// See corpus_writer.h.
#include "io/corpus_writer.h"

#include <system_error>
#include <utility>

namespace lynceus::io {
namespace {

constexpr size_t kBufferBytes = 1 << 20;

const char* speaker(TurnRole role) {
  switch (role) {
    case TurnRole::kUser:
      return "User: ";
    case TurnRole::kAssistant:
      return "Bot: ";
    case TurnRole::kText:
    case TurnRole::kSystem:
      break;
  }
  return "";
}

}  // namespace

CorpusWriter::CorpusWriter(std::filesystem::path path)
    : path_(std::move(path)),
      temporary_(path_.string() + ".tmp"),
      file_(File::create(temporary_)) {}

CorpusWriter::~CorpusWriter() {
  if (!file_.is_open()) return;
  std::error_code ignored;
  std::filesystem::remove(temporary_, ignored);
}

void CorpusWriter::add(const Sample& sample) {
  for (const Turn& turn : sample.turns) buffer_ += speaker(turn.role) + turn.text + "\n";
  if (buffer_.size() >= kBufferBytes) written();
}

const std::filesystem::path& CorpusWriter::written() {
  file_.append(buffer_.data(), buffer_.size());
  buffer_.clear();
  return temporary_;
}

void CorpusWriter::close() {
  written();
  file_.sync();
  rename_file(temporary_, path_);
  file_.close();
}

}  // namespace lynceus::io
