// Lower case by the rules of Unicode. The expected texts are those of Python's str.lower().
#include "io/text/lower_case.h"

#include <gtest/gtest.h>

namespace lynceus::io {
namespace {

TEST(LowerCase, IsThatOfPython) {
  const std::pair<const char*, const char*> cases[] = {
      {"", ""},
      {"User: What is a PC?\nBot:", "user: what is a pc?\nbot:"},
      {"ÉTÉ ÀÇ ÑŒ", "été àç ñœ"},
      {"МОСКВА Їжак", "москва їжак"},
      {"GROẞ Straße", "groß straße"},
      {"\u01C4 \u01C5", "\u01C6 \u01C6"},  // DŽ and Dž are one letter each
      {"\u212A \u2126 \u212B", "k ω å"},   // Kelvin, Ohm, Angstrom
      {"\U00010400", "\U00010428"},        // beyond the first plane
      {"İSTANBUL I", "i\u0307stanbul i"},  // no language: the I of Turkish gets its dot
      {"ΟΔΟΣ Σ ΣΑ", "οδος σ σα"},          // the sigma at the end of a word
      {"ΟΔΟΣ. ΟΔΟΣ'Α ΑΣ\u0301", "οδος. οδοσ'α ας\u0301"},
      {"猫 か 🐈 ①", "猫 か 🐈 ①"},
  };
  for (const auto& [text, lower] : cases) EXPECT_EQ(lower_case(text), lower) << text;
}

TEST(LowerCase, OtherBytesAreKept) { EXPECT_EQ(lower_case("\xFF\xC3"), "\xFF\xC3"); }

}  // namespace
}  // namespace lynceus::io
