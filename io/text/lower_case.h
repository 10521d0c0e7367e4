// Lower case by the rules of Unicode.
#pragma once

#include <string>
#include <string_view>

namespace lynceus::io {

/// UTF-8 text in lower case by the full mappings of Unicode (UnicodeData.txt, SpecialCasing.txt),
/// in no particular language. As Python's str.lower(): a sigma at the end of a word becomes U+03C2,
/// and U+0130 becomes an i with a dot above. Bytes that are not UTF-8 are kept.
std::string lower_case(std::string_view text);

}  // namespace lynceus::io
