// Base64 equals the test vectors of RFC 4648; what is no base64 is refused.
#include "core/text/base64.h"

#include <gtest/gtest.h>

#include <utility>

namespace lynceus {
namespace {

TEST(Base64, EqualsTheVectorsOfTheRfc) {
  for (const auto& [bytes, text] : {std::pair{"", ""},
                                    {"f", "Zg=="},
                                    {"fo", "Zm8="},
                                    {"foo", "Zm9v"},
                                    {"foob", "Zm9vYg=="},
                                    {"fooba", "Zm9vYmE="},
                                    {"foobar", "Zm9vYmFy"}}) {
    EXPECT_EQ(to_base64(bytes), text);
    EXPECT_EQ(from_base64(text), bytes);
  }
}

TEST(Base64, KeepsEveryByte) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i * 7);
  for (; !bytes.empty(); bytes.pop_back()) EXPECT_EQ(from_base64(to_base64(bytes)), bytes);
}

TEST(Base64, RefusesOtherTexts) {
  for (const char* text : {"Zg=", "Zg", "Z", "Zm9v ", "Zm9v\n", "Zm-v", "Zg==Zg==", "Zh==", "===="})
    EXPECT_FALSE(from_base64(text)) << text;
}

}  // namespace
}  // namespace lynceus
