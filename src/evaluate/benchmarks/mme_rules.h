// Published rules that read yes or no from an answer to a question of MME.
#pragma once

#include <span>
#include <string_view>

namespace lynceus::evaluate {

enum class YesNo { kYes, kNo, kOther };

struct MmeRule {
  const char* name;
  const char* text;
  const char* source;
  YesNo (*parse)(std::string_view answer);
};

/// All rules, the official one first.
std::span<const MmeRule> mme_rules();

/// "yes", "no" or "other".
const char* name_of(YesNo label);

}  // namespace lynceus::evaluate
