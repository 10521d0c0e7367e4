// ICU knows the mappings and their context.
#include "io/text/lower_case.h"

#include <unicode/bytestream.h>
#include <unicode/casemap.h>
#include <unicode/stringpiece.h>

#include <algorithm>

#include "core/check.h"
#include "core/text/ascii.h"

namespace lynceus::io {

std::string lower_case(std::string_view text) {
  if (std::all_of(text.begin(), text.end(), [](char c) { return c >= 0; })) {  // ASCII
    return ascii_lower(text);
  }
  std::string lower;
  lower.reserve(text.size());
  constexpr const char* kNoLanguage = "";
  UErrorCode status = U_ZERO_ERROR;
  icu::StringByteSink<std::string> sink(&lower);
  icu::CaseMap::utf8ToLower(kNoLanguage, 0,
                            icu::StringPiece(text.data(), static_cast<int32_t>(text.size())), sink,
                            nullptr, status);
  LYNCEUS_CHECK(U_SUCCESS(status), "lower_case: {}", u_errorName(status));
  return lower;
}

}  // namespace lynceus::io
