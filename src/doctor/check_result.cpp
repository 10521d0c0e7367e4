#include "doctor/check_result.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/check.h"
#include "io/files/json.h"
#include "io/files/json_value.h"

namespace lynceus::doctor {
namespace {

constexpr size_t kMostRanksNamed = 8;

std::string to_text(const std::string& node, const CheckResults& findings) {
  io::JsonValue list = io::JsonValue::array();
  for (const CheckResult& f : findings)
    list.push_back(io::JsonValue::array(
        {f.check, static_cast<int64_t>(f.verdict), f.measured, f.expected, f.remedy, f.where}));
  return io::JsonValue::object({{"node", node}, {"findings", list}}).dump_replacing();
}

CheckResults from_text(const std::string& text, std::string* node) {
  const io::Json json = io::Json::parse(text, "findings of a rank");
  *node = json.at("node").string();
  CheckResults findings;
  for (const io::Json& item : json.at("findings").elements())
    findings.push_back({item.at(size_t{0}).string(),
                        static_cast<Verdict>(item.at(size_t{1}).integer(0, 3)),
                        item.at(size_t{2}).string(), item.at(size_t{3}).string(),
                        item.at(size_t{4}).string(), item.at(size_t{5}).string()});
  return findings;
}

/// "rank 3 on node2"; the node only if all ranks are on one and there are several nodes.
std::string place_of(const std::vector<int>& ranks, const std::vector<std::string>& nodes) {
  const std::string& first = nodes[static_cast<size_t>(ranks.front())];
  const bool one_node = std::all_of(ranks.begin(), ranks.end(), [&](int rank) {
    return nodes[static_cast<size_t>(rank)] == first;
  });
  return one_node ? fmt::format("{} on {}", ranks_text(ranks), first) : ranks_text(ranks);
}

struct Equal {
  CheckResult finding;
  std::vector<int> ranks;
};

/// Of one check.
void append(const std::vector<Equal>& kinds, const std::vector<std::string>& nodes,
            CheckResults* merged) {
  const bool faulty = std::any_of(kinds.begin(), kinds.end(),
                                  [](const Equal& kind) { return !kind.finding.is_ok(); });
  for (const Equal& kind : kinds) {
    if (kind.finding.is_ok() && faulty) continue;
    merged->push_back(kind.finding);
    if (kind.finding.is_ok()) return;
    if (kind.ranks.size() < nodes.size()) merged->back().where = place_of(kind.ranks, nodes);
  }
}

}  // namespace

const char* name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::kOk:
      return "ok";
    case Verdict::kUnknown:
      return "unknown";
    case Verdict::kWarning:
      return "warning";
    case Verdict::kCritical:
      return "critical";
  }
  return "";
}

CheckResult passed(std::string_view check, std::string measured) {
  return {std::string(check), Verdict::kOk, std::move(measured), "", "", ""};
}

CheckResult judged(std::string_view check, Verdict verdict, std::string measured,
                   std::string expected, std::string remedy) {
  if (verdict == Verdict::kOk) return passed(check, std::move(measured));
  return {std::string(check),  verdict,           std::move(measured),
          std::move(expected), std::move(remedy), ""};
}

CheckResult not_checked(std::string_view check, std::string reason, std::string remedy) {
  return {std::string(check), Verdict::kUnknown, std::move(reason), "", std::move(remedy), ""};
}

Verdict worst_of(const CheckResults& findings) {
  Verdict worst = Verdict::kOk;
  for (const CheckResult& finding : findings) worst = std::max(worst, finding.verdict);
  return worst;
}

std::string ranks_text(const std::vector<int>& ranks) {
  if (ranks.empty()) return "no rank";
  if (ranks.size() == 1) return fmt::format("rank {}", ranks.front());
  const bool consecutive = ranks.back() - ranks.front() + 1 == std::ssize(ranks);
  if (consecutive && ranks.size() > 2)
    return fmt::format("ranks {}-{}", ranks.front(), ranks.back());
  const std::vector<int> named(ranks.begin(),
                               ranks.begin() + std::min<long>(kMostRanksNamed, std::ssize(ranks)));
  const size_t others = ranks.size() - named.size();
  return fmt::format("ranks {}{}", fmt::join(named, ", "),
                     others == 0 ? "" : fmt::format(" and {} more", others));
}

CheckResults merge(const std::vector<CheckResults>& by_rank,
                   const std::vector<std::string>& nodes) {
  std::vector<std::string> order;
  std::map<std::string, std::vector<Equal>> by_check;
  for (size_t rank = 0; rank < by_rank.size(); ++rank)
    for (const CheckResult& finding : by_rank[rank]) {
      std::vector<Equal>& kinds = by_check[finding.check];
      if (kinds.empty()) order.push_back(finding.check);
      const auto same = std::find_if(kinds.begin(), kinds.end(), [&](const Equal& kind) {
        return kind.finding == finding || (kind.finding.is_ok() && finding.is_ok());
      });
      if (same == kinds.end())
        kinds.push_back({finding, {static_cast<int>(rank)}});
      else
        same->ranks.push_back(static_cast<int>(rank));
    }
  CheckResults merged;
  for (const std::string& check : order) append(by_check[check], nodes, &merged);
  return merged;
}

CheckResults merge(parallel::Communicator& world, const std::string& node,
                   const CheckResults& mine) {
  std::vector<CheckResults> by_rank;
  std::vector<std::string> nodes;
  for (const std::string& text : world.all_gather(to_text(node, mine))) {
    nodes.emplace_back();
    by_rank.push_back(from_text(text, &nodes.back()));
  }
  return merge(by_rank, nodes);
}

}  // namespace lynceus::doctor
