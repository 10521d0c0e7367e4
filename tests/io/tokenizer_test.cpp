// The tokenizer against SentencePiece's own answers, and one trained here.
#include "io/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "io/file.h"

namespace lynceus::io {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

const fs::path kData = fs::path(LYNCEUS_SOURCE_DIR) / "tests/data/tokenizer";

/// How many texts of the file come back as they should.
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

TEST(Tokenizer, KnowsItsModel) {
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

TEST(Tokenizer, SaysThatAFileIsNoModel) {
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
  EXPECT_THROW(Tokenizer{file}, IoError);
}

std::vector<std::string> little_corpus() {
  std::vector<std::string> lines;
  for (const char* colour : {"red", "green", "blue", "yellow"}) {
    for (const char* shape : {"circle", "square", "triangle"}) {
      for (int i = 1; i < 5; ++i) {
        lines.push_back(fmt::format("There are {} {} {}s in the picture.", i, colour, shape));
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
