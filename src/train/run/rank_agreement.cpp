// Every rank sends its facts as lines of text; the first line that differs is reported.
#include "train/run/rank_agreement.h"

#include <sstream>

#include "core/version.h"
#include "parallel/agreement.h"

namespace lynceus::train {

void check_same_everywhere(const Runtime& rt, const RunIdentity& identity) {
  std::vector<std::pair<std::string, std::string>> facts = {
      {"program", software_version()},
      {"tokenizer", identity.tokenizer},
      {"prompt template", identity.prompt_template}};
  for (const auto& [name, fingerprint] : identity.datasets)
    facts.push_back({"data.source " + name, fingerprint});
  for (const ConfigValue& value : identity.config) facts.push_back({value.key, value.value});
  std::string mine;
  for (const auto& [key, value] : facts) mine += key + "\t" + value + "\n";
  const std::vector<std::string> all = rt.grid.world->all_gather(mine);
  for (size_t rank = 1; rank < all.size(); ++rank) {
    std::istringstream first(all[0]), other(all[rank]);
    for (std::string a, b; all[rank] != all[0];) {
      const bool have_a = static_cast<bool>(std::getline(first, a));
      const bool have_b = static_cast<bool>(std::getline(other, b));
      if (have_a && have_b && a == b) continue;
      throw parallel::AgreedError(
          ExitCode::kUsage, fmt::format("ranks differ: rank 0 has '{}', rank {} has '{}'",
                                        have_a ? a : "no value", rank, have_b ? b : "no value"));
    }
  }
}

}  // namespace lynceus::train
