#include "evaluate/benchmarks/mme_rules.h"

#include <algorithm>
#include <string>
#include <vector>

#include "evaluate/vqa_normal_form.h"
#include "evaluate/words.h"
#include "io/text/lower_case.h"

namespace lynceus::evaluate {
namespace {

constexpr size_t kPrefix = 4;

/// "yes" before "no": the prefix of "yes no" is a yes.
YesNo in_prefix(std::string_view text) {
  const std::string_view prefix = first_characters(text, kPrefix);
  if (prefix.find("yes") != std::string_view::npos) return YesNo::kYes;
  return prefix.find("no") != std::string_view::npos ? YesNo::kNo : YesNo::kOther;
}

YesNo official(std::string_view answer) { return in_prefix(io::lower_case(answer)); }

YesNo lmms_eval(std::string_view answer) {
  const std::string lower = io::lower_case(answer);
  const std::string text = replaced(stripped(lower), ".", "");
  if (text == "y") return YesNo::kYes;
  if (text == "n") return YesNo::kNo;
  return in_prefix(text);
}

YesNo vlmevalkit(std::string_view answer) {
  const std::vector<std::string> words = split_words(without_punctuation(io::lower_case(answer)));
  const auto has = [&](const char* word) {
    return std::find(words.begin(), words.end(), word) != words.end();
  };
  if (has("yes") == has("no")) return YesNo::kOther;
  return has("yes") ? YesNo::kYes : YesNo::kNo;
}

constexpr MmeRule kRules[] = {
    {"official", "yes or no among the first four characters, in lower case; yes before no",
     "BradyFU/Awesome-Multimodal-Large-Language-Models, branch Evaluation, tools/eval_tool.zip, "
     "calculation.py",
     official},
    {"lmms-eval",
     "as official, after removing spaces at the ends and all points; y and n alone count",
     "EvolvingLMMs-Lab/lmms-eval 306a8b4, lmms_eval/tasks/mme/utils.py", lmms_eval},
    {"vlmevalkit", "yes or no as a word anywhere, without punctuation; both or none is other",
     "open-compass/VLMEvalKit 0c7163c, vlmeval/dataset/utils/yorn.py", vlmevalkit},
};

}  // namespace

std::span<const MmeRule> mme_rules() { return kRules; }

const char* name_of(YesNo label) {
  return label == YesNo::kYes ? "yes" : label == YesNo::kNo ? "no" : "other";
}

}  // namespace lynceus::evaluate
