#include "prepare/corpus_writer.h"

#include <system_error>
#include <utility>

namespace lynceus::prepare {
namespace {

constexpr size_t kBufferBytes = 1 << 20;

const char* speaker(io::TurnRole role) {
  switch (role) {
    case io::TurnRole::kUser:
      return "User: ";
    case io::TurnRole::kAssistant:
      return "Bot: ";
    case io::TurnRole::kText:
    case io::TurnRole::kSystem:
      break;
  }
  return "";
}

}  // namespace

CorpusWriter::CorpusWriter(std::filesystem::path path)
    : path_(std::move(path)),
      temporary_(path_.string() + ".tmp"),
      file_(io::File::create(temporary_)) {}

CorpusWriter::~CorpusWriter() {
  if (!file_.is_open()) return;
  std::error_code ignored;
  std::filesystem::remove(temporary_, ignored);
}

void CorpusWriter::add(const io::Sample& sample) {
  for (const io::Turn& turn : sample.turns) buffer_ += speaker(turn.role) + turn.text + "\n";
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
  io::rename_file(temporary_, path_);
  file_.close();
}

}  // namespace lynceus::prepare
