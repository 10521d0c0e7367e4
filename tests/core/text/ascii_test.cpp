#include "core/text/ascii.h"

#include <gtest/gtest.h>

namespace lynceus {
namespace {

TEST(Ascii, OnlyItsLettersChange) {
  EXPECT_EQ(ascii_lower("AZaz @[`{ 09"), "azaz @[`{ 09");
  EXPECT_EQ(ascii_lower("\xC3\x84\xFF\x80"), "\xC3\x84\xFF\x80");
  EXPECT_EQ(ascii_lower(""), "");
  static_assert(ascii_lower('Q') == 'q');
}

}  // namespace
}  // namespace lynceus
