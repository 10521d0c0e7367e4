// The tokenizer compared with SentencePiece's own results; training; hostile models.
#include "io/text/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "io/files/file.h"

namespace lynceus::io {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

const fs::path kData = fs::path(LYNCEUS_SOURCE_DIR) / "tests/data/tokenizer";

/// The number of texts of the file with the expected ids and decoded text.
int compare_all(const fs::path& file) {
  const Tokenizer tokenizer(kData / "test_model.model");
  std::ifstream lines(file);
  int equal = 0;
  for (std::string line; std::getline(lines, line);) {
    const auto row = nlohmann::json::parse(line);
    const auto ids = row.at("ids").get<std::vector<int32_t>>();
    const std::vector<int32_t> found = tokenizer.encode(row.at("text").get<std::string>());
    EXPECT_EQ(found, ids) << line;
    EXPECT_EQ(tokenizer.decode(ids), row.at("decoded").get<std::string>()) << line;
    equal += found == ids;
  }
  return equal;
}

TEST(Tokenizer, EqualsSentencePiece) {
  EXPECT_EQ(compare_all(kData / "golden_spm_test.jsonl"), 212);
}

TEST(Tokenizer, EqualsSentencePieceOnTheLargerSet) {
  const char* golden = std::getenv("LYNCEUS_GOLDEN_DIR");
  const fs::path file =
      golden == nullptr ? "" : fs::path(golden) / "../data/tokenizer/golden_spm_test.jsonl";
  if (golden == nullptr || !fs::exists(file)) GTEST_SKIP() << "LYNCEUS_GOLDEN_DIR is not set";
  EXPECT_EQ(compare_all(file), 1901);
}

TEST(Tokenizer, ReadsThePropertiesOfItsModel) {
  const Tokenizer tokenizer(kData / "test_model.model");
  EXPECT_EQ(tokenizer.size(), 1000);
  EXPECT_EQ(tokenizer.unk_id(), 0);
  EXPECT_EQ(tokenizer.bos_id(), 1);
  EXPECT_EQ(tokenizer.eos_id(), 2);
  EXPECT_TRUE(tokenizer.adds_prefix_space());
  EXPECT_EQ(tokenizer.fingerprint().size(), 32u);
  EXPECT_EQ(tokenizer.piece(2), "</s>");
  EXPECT_TRUE(tokenizer.encode("").empty());
  EXPECT_EQ(tokenizer.decode({}), "");
  EXPECT_THROW(tokenizer.decode(std::vector<int32_t>{1000}), InputError);
  EXPECT_THROW(tokenizer.decode(std::vector<int32_t>{-1}), InputError);
}

TEST(Tokenizer, RefusesAFileThatIsNoModel) {
  const fs::path file = fs::path(testing::TempDir()) / "lynceus_not_a_model";
  for (const std::string& bytes :
       {std::string(), std::string("hello"), std::string(1000, '\xFF'), std::string("\x0a\xff")}) {
    std::ofstream(file, std::ios::binary) << bytes;
    try {
      Tokenizer tokenizer(file);
      ADD_FAILURE() << "accepted " << bytes.size() << " bytes";
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), AllOf(HasSubstr(file.string()), HasSubstr("SentencePiece model")));
    }
  }
  fs::remove(file);
  EXPECT_THROW(Tokenizer{file}, InputError);
}

TEST(Tokenizer, SaysWhatIsGivenInItsPlace) {
  const fs::path file = fs::path(testing::TempDir()) / "lynceus_other_tokenizer";
  const std::pair<std::string, const char*> kinds[] = {
      {"IQ== 0\nIg== 1\n", "found a tiktoken list"},
      {R"({"model": {"vocab": {}, "merges": []}})", "found the tokenizer.json"},
      {R"({"tokenizer_class": "LlamaTokenizer"})", "found JSON"},
      {"<!DOCTYPE html>", "is an HTML page"},
      {"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"},
  };
  for (const auto& [bytes, says] : kinds) {
    std::ofstream(file, std::ios::binary) << bytes;
    EXPECT_THAT([&] { Tokenizer{file}; }, testing::ThrowsMessage<InputError>(HasSubstr(says)));
  }
  fs::remove(file);
}

/// A field of a protocol buffer, of bytes, a small integer or a float.
std::string field(int number, const std::string& bytes) {
  std::string size;
  for (size_t rest = bytes.size(); rest > 0 || size.empty(); rest >>= 7)
    size += static_cast<char>((rest & 0x7F) | (rest > 0x7F ? 0x80 : 0));
  return static_cast<char>(number << 3 | 2) + size + bytes;
}
std::string field(int number, char value) { return {static_cast<char>(number << 3), value}; }
std::string field(int number, float value) {
  std::string bytes(sizeof(value), '\0');
  std::memcpy(bytes.data(), &value, sizeof(value));
  return static_cast<char>(number << 3 | 5) + bytes;
}

constexpr char kNormal = 1, kUnknown = 2, kUserDefined = 4;

std::string piece(const std::string& text, char kind, float score = 0) {
  return field(1, field(1, text) + field(2, score) + field(3, kind));
}

/// A double array: units[0] is the root; the index of each child is its byte.
struct CharacterMap {
  std::vector<uint32_t> units = std::vector<uint32_t>(256);
  std::string texts = std::string("a\0", 2);

  CharacterMap& put(uint32_t index, char label, bool has_entry, uint32_t offset) {
    units[index] = static_cast<uint8_t>(label) | uint32_t{has_entry} << 8 | offset << 10;
    return *this;
  }
  CharacterMap& entry(uint32_t index, uint32_t text) {
    units[index] = 1u << 31 | text;
    return *this;
  }
  std::string bytes() const {
    const auto size = static_cast<uint32_t>(units.size() * sizeof(uint32_t));
    std::string all(reinterpret_cast<const char*>(&size), sizeof(size));
    return all.append(reinterpret_cast<const char*>(units.data()), size) + texts;
  }
};

class HostileModel : public testing::Test {
 protected:
  void TearDown() override { fs::remove(file_); }
  Tokenizer open(const std::string& bytes) const {
    std::ofstream(file_, std::ios::binary) << piece("<unk>", kUnknown) << bytes;
    return Tokenizer(file_);
  }
  Tokenizer open(const CharacterMap& map, int spec = 3) const {
    return open(piece("a", kNormal) + field(spec, field(2, map.bytes()) + field(3, '\0')));
  }
  void refused(const std::function<void()>& opens, const std::string& says) const {
    EXPECT_THAT(opens, testing::ThrowsMessage<InputError>(
                           AllOf(HasSubstr(file_.string()), HasSubstr(says))));
  }

 private:
  fs::path file_ = fs::path(testing::TempDir()) / "lynceus_hostile.model";
};

TEST_F(HostileModel, CharactersLeadNowhereElse) {
  const uint32_t kEntry = 'A' ^ 0x80;
  const auto sound = CharacterMap().put('A', 'A', true, 0x80).entry(kEntry, 0);
  EXPECT_EQ(open(sound).encode("Aa"), (std::vector<int32_t>{1, 1}));
  for (const int spec : {3, 5}) {
    refused([&] { open(CharacterMap(sound).put('A', 'A', true, 0x180), spec); },
            "points outside the array");
    refused([&] { open(CharacterMap(sound).put(0, '\0', false, 1 << 20), spec); },
            "points outside the array");
    refused([&] { open(CharacterMap(sound).entry(kEntry, 2), spec); }, "without a text");
  }
  // Every "A" leads back to its own place.
  refused([&] { open(CharacterMap().put('A', 'A', true, 'A')); },
          "entries are prefixes of one another");
  CharacterMap damaged = sound;
  damaged.texts = "a";
  refused([&] { open(damaged); }, "wrong size");
  damaged.texts.clear();
  refused([&] { open(damaged); }, "wrong size");
  refused([&] { open(piece("a", kNormal) + field(3, field(2, std::string("\0\0\0", 3)))); },
          "wrong size");
}

TEST_F(HostileModel, PiecesAreTextsWithScores) {
  EXPECT_EQ(open(piece("a", kNormal)).size(), 2);
  refused([&] { open(piece("", kNormal)); }, "with a text");
  refused([&] { open(piece(std::string("a\0b", 3), kUserDefined)); }, "with a NUL");
  refused([&] { open(piece("a", kNormal, std::nanf(""))); }, "score");
  std::string symbols;
  for (int i = 1; i <= 64; ++i) symbols += piece(std::string(i, 'a'), kUserDefined);
  EXPECT_EQ(open(symbols).encode(std::string(64, 'a')).size(), 2u) << "the space before it";
  refused([&] { open(symbols + piece(std::string(65, 'a'), kUserDefined)); },
          "symbols are prefixes of one another");
}

std::vector<std::string> little_corpus() {
  std::vector<std::string> lines;
  for (const char* color : {"red", "green", "blue", "yellow"}) {
    for (const char* shape : {"circle", "square", "triangle"}) {
      for (int i = 1; i < 5; ++i) {
        lines.push_back(fmt::format("There are {} {} {}s in the picture.", i, color, shape));
      }
    }
  }
  return lines;
}

TEST(Tokenizer, TrainsOneThatFitsItsText) {
  const fs::path file = fs::path(testing::TempDir()) / "lynceus_trained.model";
  const std::vector<std::string> lines = little_corpus();
  train_tokenizer(lines, {.vocab_size = 340}, file);
  const Tokenizer tokenizer(file);
  EXPECT_EQ(tokenizer.size(), 340);
  EXPECT_EQ(tokenizer.unk_id(), 0);
  EXPECT_EQ(tokenizer.bos_id(), 1);
  EXPECT_EQ(tokenizer.eos_id(), 2);
  for (const std::string& line : lines) {
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(line)), line);
    EXPECT_LT(tokenizer.encode(line).size(), 20u);
  }
  for (const char* odd : {"two\nlines", "\xE2\x82\xAC 12", "  spaces  "}) {
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(odd)), odd);
  }
  const std::string model = read_text(file);
  train_tokenizer(lines, {.vocab_size = 340}, file);
  EXPECT_EQ(read_text(file), model) << "the same text gives the same model";
}

TEST(Tokenizer, TrainsFromAFile) {
  const fs::path corpus = fs::path(testing::TempDir()) / "lynceus_corpus.txt";
  const fs::path from_file = fs::path(testing::TempDir()) / "lynceus_from_file.model";
  const fs::path from_lines = fs::path(testing::TempDir()) / "lynceus_from_lines.model";
  std::ofstream stream(corpus);
  for (const std::string& line : little_corpus()) stream << line << "\n\n";
  stream.close();
  train_tokenizer(corpus, {.vocab_size = 287, .model_type = "unigram"}, from_file);
  train_tokenizer(little_corpus(), {.vocab_size = 287, .model_type = "unigram"}, from_lines);
  EXPECT_EQ(read_text(from_file), read_text(from_lines));
}

TEST(Tokenizer, SaysWhyItCannotTrain) {
  const fs::path file = fs::path(testing::TempDir()) / "lynceus_untrained.model";
  try {
    train_tokenizer(little_corpus(), {.vocab_size = 5000}, file);
    ADD_FAILURE() << "a vocabulary larger than the text";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("5000 pieces on 48 lines"), HasSubstr("ocab")));
  }
  EXPECT_FALSE(fs::exists(file));
}

}  // namespace
}  // namespace lynceus::io
