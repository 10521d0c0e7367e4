// Times as text.
#include "core/text/utc.h"

#include <gtest/gtest.h>

namespace lynceus {
namespace {

TEST(Utc, TextAndBack) {
  EXPECT_EQ(utc_text(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(utc_text(1714564800.25), "2024-05-01T12:00:00.250Z");
  EXPECT_DOUBLE_EQ(*parse_utc("2024-05-01T12:00:00.250Z"), 1714564800.25);
  EXPECT_NEAR(*parse_utc(utc_text(unix_now())), unix_now(), 5);
}

TEST(Utc, OtherFormsAreNone) {
  for (const char* text : {"", "now", "2024-05-01", "2024-05-01T12:00:00.250Z and more"})
    EXPECT_FALSE(parse_utc(text)) << text;
}

}  // namespace
}  // namespace lynceus
