#include "io/text/tokenizer.h"

#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <cstdio>
#include <unordered_map>

#include "core/check.h"
#include "core/error.h"
#include "core/text/foreign_file.h"
#include "io/files/digest.h"
#include "io/files/file.h"
#include "io/text/sentencepiece_check.h"

namespace lynceus::io {
namespace {

constexpr std::string_view kMetaSpace = "\xE2\x96\x81";  // U+2581, a space inside a piece
constexpr uint64_t kMaxModelBytes = 64ull << 20;
constexpr uint64_t kMaxCorpusBytes = 4ull << 30;

/// Feeds the trainer from memory.
class LineIterator : public sentencepiece::SentenceIterator {
 public:
  explicit LineIterator(std::span<const std::string> lines) : lines_(lines) {}
  bool done() const override { return position_ == lines_.size(); }
  void Next() override { ++position_; }
  const std::string& value() const override { return lines_[position_]; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  std::span<const std::string> lines_;
  size_t position_ = 0;
};

/// Lines of a token in base64, a space and a number, as in the tokenizer.model of LLaMA 3.
bool is_tiktoken_list(std::string_view bytes) {
  const std::string_view line = bytes.substr(0, bytes.find('\n'));
  const size_t space = line.find(' ');
  constexpr std::string_view kBase64 =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
  return space != std::string_view::npos && space > 0 && space % 4 == 0 &&
         line.substr(0, space).find_first_not_of(kBase64) == std::string_view::npos &&
         space + 1 < line.size() &&
         line.substr(space + 1).find_first_not_of("0123456789\r") == std::string_view::npos;
}

/// InputError for what is known to be given in place of a SentencePiece model.
void refuse_other_tokenizer(std::string_view bytes, const std::string& name) {
  const size_t first = bytes.find_first_not_of(" \t\r\n");
  const char* found = nullptr;
  if (first != std::string_view::npos && (bytes[first] == '{' || bytes[first] == '[')) {
    found = bytes.find("\"merges\"") != std::string_view::npos
                ? "the tokenizer.json of Hugging Face's tokenizers: give tokenizer.model instead"
                : "JSON: give tokenizer.model instead";
  }
  if (is_tiktoken_list(bytes)) found = "a tiktoken list, as in LLaMA 3, which is not supported";
  if (found != nullptr)
    throw InputError("{}: expected a SentencePiece model, found {}", name, found);
}

/// Why no vocabulary of this size can be trained, without SentencePiece's own options.
std::string reason_of(const std::string& status) {
  int size = 0, needed = 0;
  if (const size_t at = status.find("required_chars. "); at != std::string::npos)
    if (std::sscanf(status.c_str() + at, "required_chars. %d vs %d", &size, &needed) == 2)
      return fmt::format("at least {} pieces are needed for the characters of these texts", needed);
  if (const size_t at = status.find("<= "); status.find("too high") != std::string::npos &&
                                            at != std::string::npos &&
                                            std::sscanf(status.c_str() + at, "<= %d", &needed) == 1)
    return fmt::format("these texts have at most {} pieces", needed);
  return status;
}

}  // namespace

Tokenizer::Tokenizer(const std::filesystem::path& path)
    : path_(path), processor_(std::make_unique<sentencepiece::SentencePieceProcessor>()) {
  expect_file(path, "a SentencePiece model");
  const std::string bytes = read_text(path, kMaxModelBytes);
  refuse_foreign(bytes, path.string(), "a SentencePiece model");
  refuse_other_tokenizer(bytes, path.string());
  check_sentencepiece_model(bytes, path.string());
  const auto status = processor_->LoadFromSerializedProto(bytes);
  if (!status.ok() || processor_->GetPieceSize() == 0) {
    throw InputError(
        "{}: expected a SentencePiece model, found {} bytes that SentencePiece cannot read: {}",
        path.string(), bytes.size(), status.ToString());
  }
  fingerprint_ = digest_file(path).hex();
  size_ = processor_->GetPieceSize();
  bos_id_ = processor_->bos_id();
  eos_id_ = processor_->eos_id();
  unk_id_ = processor_->unk_id();
  const std::vector<int32_t> ids = encode("x");
  adds_prefix_space_ = !ids.empty() && piece(ids[0]).starts_with(kMetaSpace);
}

Tokenizer::~Tokenizer() = default;
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;

std::vector<int32_t> Tokenizer::encode(std::string_view text) const {
  std::vector<int> ids;
  const auto status = processor_->Encode({text.data(), text.size()}, &ids);
  if (!status.ok()) {
    throw InputError("{}: cannot encode a text of {} bytes: {}", path_.string(), text.size(),
                     status.ToString());
  }
  return {ids.begin(), ids.end()};
}

std::string Tokenizer::describe() const {
  return fmt::format("{} ({} pieces)", fingerprint_, size_);
}

std::string Tokenizer::decode(std::span<const int32_t> token_ids) const {
  for (const int32_t id : token_ids) check_id(id);
  std::string text;
  const auto status =
      processor_->Decode(std::vector<int>(token_ids.begin(), token_ids.end()), &text);
  if (!status.ok()) {
    throw InputError("{}: cannot decode {} ids: {}", path_.string(), token_ids.size(),
                     status.ToString());
  }
  return text;
}

std::string Tokenizer::piece(int32_t token_id) const {
  check_id(token_id);
  return processor_->IdToPiece(token_id);
}

void Tokenizer::check_id(int32_t token_id) const {
  if (token_id < 0 || token_id >= size_) {
    throw InputError("{}: expected a token id from 0 to {}, found {}", path_.string(), size_ - 1,
                     token_id);
  }
}

void train_tokenizer(std::span<const std::string> lines, const TokenizerTraining& training,
                     const std::filesystem::path& output) {
  const std::unordered_map<std::string, std::string> options{
      {"vocab_size", std::to_string(training.vocab_size)},
      {"model_type", training.model_type},
      {"byte_fallback", training.byte_fallback ? "true" : "false"},
      {"character_coverage", training.byte_fallback ? "0.9999" : "1.0"},
      {"split_digits", "true"},
      {"normalization_rule_name", "identity"},
      {"remove_extra_whitespaces", "false"},
      {"unk_id", "0"},
      {"bos_id", "1"},
      {"eos_id", "2"},
      {"pad_id", "-1"},
      {"num_threads", "1"},
      {"minloglevel", "2"},
  };
  LineIterator iterator(lines);
  std::string model;
  const auto status = sentencepiece::SentencePieceTrainer::Train(options, &iterator, &model);
  if (!status.ok()) {
    throw InputError("{}: cannot train a vocabulary of {} pieces on {} lines: {}", output.string(),
                     training.vocab_size, lines.size(), reason_of(status.ToString()));
  }
  atomic_write_text(output, model);
}

void train_tokenizer(const std::filesystem::path& corpus, const TokenizerTraining& training,
                     const std::filesystem::path& output) {
  const std::string text = read_text(corpus, kMaxCorpusBytes);
  std::vector<std::string> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    if (end > begin) lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  train_tokenizer(lines, training, output);
}

}  // namespace lynceus::io
