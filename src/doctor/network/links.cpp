#include "doctor/network/links.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <sstream>

#include "core/tensor.h"
#include "core/text/units.h"
#include "doctor/network/pattern.h"

namespace lynceus::doctor {
namespace {

using Clock = std::chrono::steady_clock;
using parallel::Communicator;
using parallel::Transfer;

constexpr int64_t kMiB = 1 << 20;
constexpr size_t kMostRanksOfANode = 16;
constexpr int kTimes = 4;
// Within a node the processes share cores, which takes milliseconds now and then.
constexpr double kSlowSecondsOfNodes = 50e-6, kSlowSecondsWithinANode = 2e-3;

double median_of(std::vector<double> values) {
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// The fastest link of each rank.
std::map<int, double> best_by_rank(const std::vector<Link>& links) {
  std::map<int, double> best;
  for (const Link& link : links)
    for (const int rank : {link.a, link.b}) {
      const auto [at, is_new] = best.try_emplace(rank, link.seconds);
      if (!is_new) at->second = std::min(at->second, link.seconds);
    }
  return best;
}

std::string time_text(double seconds, double median) {
  return fmt::format("{:.3f} ms for 1 MiB, median {:.3f} ms", 1e3 * seconds, 1e3 * median);
}

class LinkBench {
 public:
  LinkBench(Communicator& world, const std::vector<Facts>& ranks) : world_(world) {
    const auto nodes = ranks_by_node(ranks);
    within_a_node_ = nodes.size() == 1;
    for (const auto& [node, there] : nodes)
      if (!within_a_node_) ranks_.push_back(there.front());
    if (within_a_node_) ranks_ = nodes.begin()->second;
    if (within_a_node_ && ranks_.size() > kMostRanksOfANode) ranks_.resize(kMostRanksOfANode);
    std::sort(ranks_.begin(), ranks_.end());
  }

  bool within_a_node() const { return within_a_node_; }
  const std::vector<int>& ranks() const { return ranks_; }

  /// Collective. All links, on every rank; fewer if the time is over.
  std::vector<Link> measure(Clock::time_point end) {
    std::vector<Link> mine;
    for (const auto& round : rounds_of(static_cast<int>(ranks_.size()))) {
      if (within_a_node_) {
        for (const auto& pair : round) run({pair}, &mine);
      } else {
        run(round, &mine);
      }
      if (world_.broadcast(Clock::now() > end ? "over" : "", 0) == "over") break;
    }
    return gather_links(mine);
  }

 private:
  void run(const std::vector<std::pair<int, int>>& pairs, std::vector<Link>* mine) {
    world_.barrier();
    for (const auto& [i, j] : pairs) {
      const int a = ranks_[static_cast<size_t>(i)], b = ranks_[static_cast<size_t>(j)];
      if (world_.rank() == a) mine->push_back(exchange(a, b, b, true));
      if (world_.rank() == b) {
        const Link link = exchange(a, b, a, false);
        if (!link.damage.empty()) mine->push_back(link);
      }
    }
  }

  void send(int to, const Tensor& x) { world_.exchange(std::vector<Transfer>{{to, x}}, {}); }
  void receive(int from, const Tensor& x) { world_.exchange({}, std::vector<Transfer>{{from, x}}); }

  Link exchange(int a, int b, int peer, bool asks) {
    Link link{a, b, std::numeric_limits<double>::infinity(), ""};
    for (int i = 0; i < kTimes; ++i) {
      fill_pattern(sent_, world_.rank());
      asks ? receive(peer, ready_) : send(peer, ready_);
      const auto begin = Clock::now();
      if (asks) send(peer, sent_);
      receive(peer, received_);
      if (!asks) send(peer, sent_);
      const double seconds = std::chrono::duration<double>(Clock::now() - begin).count() / 2;
      link.seconds = std::min(link.seconds, seconds);
      const int64_t wrong = first_wrong(received_, peer);
      if (wrong >= 0 && link.damage.empty())
        link.damage =
            fmt::format("from rank {} to rank {}: element {}", peer, world_.rank(), wrong);
    }
    return link;
  }

  std::vector<Link> gather_links(const std::vector<Link>& mine) {
    std::string text;
    for (const Link& link : mine)
      text += fmt::format("{} {} {} {}\n", link.a, link.b, link.seconds, link.damage);
    std::vector<Link> all;
    for (const std::string& of_rank : world_.all_gather(text)) {
      std::istringstream lines(of_rank);
      for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        Link link;
        words >> link.a >> link.b >> link.seconds;
        words.get();
        std::getline(words, link.damage);
        all.push_back(link);
      }
    }
    return all;
  }

  Communicator& world_;
  std::vector<int> ranks_;
  bool within_a_node_ = false;
  Tensor ready_ = Tensor::zeros(Stream(), {1});  // the peer has filled its message
  Tensor sent_ = Tensor::zeros(Stream(), {kMiB / int64_t{sizeof(float)}});
  Tensor received_ = Tensor::zeros(Stream(), {kMiB / int64_t{sizeof(float)}});
};

/// The smaller time of each link of two measurements.
void keep_best(std::vector<Link>* links, const std::vector<Link>& again) {
  for (const Link& other : again) {
    const auto same = std::find_if(links->begin(), links->end(), [&](const Link& link) {
      return link.a == other.a && link.b == other.b;
    });
    if (same == links->end()) continue;
    same->seconds = std::min(same->seconds, other.seconds);
    if (same->damage.empty()) same->damage = other.damage;
  }
}

std::string first_damage(const std::vector<Link>& links) {
  for (const Link& link : links)
    if (!link.damage.empty()) return link.damage;
  return "";
}

}  // namespace

std::vector<std::vector<std::pair<int, int>>> rounds_of(int count) {
  // The circle method: all but the last place move on by one in each round.
  const int even = count + count % 2;
  std::vector<std::vector<std::pair<int, int>>> rounds;
  for (int round = 0; round + 1 < even; ++round) {
    auto& pairs = rounds.emplace_back();
    const auto add = [&](int a, int b) {
      if (std::max(a, b) < count) pairs.emplace_back(std::min(a, b), std::max(a, b));
    };
    add(round, even - 1);
    for (int i = 1; i < even / 2; ++i)
      add((round + i) % (even - 1), (round - i + even - 1) % (even - 1));
  }
  return rounds;
}

std::string slowest(const std::vector<Link>& links, double slow_seconds) {
  if (links.size() < 3) return "";
  const std::map<int, double> best = best_by_rank(links);
  std::vector<double> of_ranks, of_links;
  for (const auto& [rank, seconds] : best) of_ranks.push_back(seconds);
  const double median_rank = median_of(of_ranks);
  const auto is_slow = [&](double seconds, double median) {
    return seconds > kSlowFactor * median && seconds > median + slow_seconds;
  };
  const auto slow_rank = std::max_element(
      best.begin(), best.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  if (best.size() > 2 && is_slow(slow_rank->second, median_rank))
    return fmt::format("rank {} is slow to all others: {}", slow_rank->first,
                       time_text(slow_rank->second, median_rank));
  for (const Link& link : links) of_links.push_back(link.seconds);
  const double median = median_of(of_links);
  const auto slow = std::max_element(links.begin(), links.end(), [](const Link& a, const Link& b) {
    return a.seconds < b.seconds;
  });
  if (!is_slow(slow->seconds, median)) return "";
  return fmt::format("between rank {} and rank {}: {}", slow->a, slow->b,
                     time_text(slow->seconds, median));
}

CheckResult check_links(Communicator& world, const std::vector<Facts>& ranks,
                        const LinkOptions& options) {
  constexpr const char* kCheck = "network.links";
  LinkBench bench(world, ranks);
  if (bench.ranks().size() < 2) return passed(kCheck, "one rank");
  const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                      std::chrono::duration<double>(options.seconds));
  const double slow_seconds = bench.within_a_node() ? kSlowSecondsWithinANode : kSlowSecondsOfNodes;
  std::vector<Link> links = bench.measure(end);
  for (int i = 1; i < kMeasurements && !slowest(links, slow_seconds).empty(); ++i)
    keep_best(&links, bench.measure(end));
  if (const std::string damage = first_damage(links); !damage.empty())
    return judged(kCheck, Verdict::kCritical, "wrong data " + damage, "what was sent",
                  "leave the node of one of the two ranks out (--exclude), and report the pair to "
                  "the site");
  const std::string slow = slowest(links, slow_seconds);
  double most = 0;
  for (const Link& link : links) most = std::max(most, link.seconds);
  const std::string kind = bench.within_a_node() ? "within a node" : "between nodes";
  CheckResult finding =
      judged(kCheck, slow.empty() ? Verdict::kOk : Verdict::kWarning,
             slow.empty() ? fmt::format("{} {}, 1 MiB in at most {:.3f} ms",
                                        counted(std::ssize(links), "pair"), kind, 1e3 * most)
                          : slow,
             fmt::format("at most {:.0f} times the median", kSlowFactor),
             "leave the node of the slow rank out (--exclude); look at its network card (ibstat, "
             "ethtool) and at other programs there (top)");
  finding.figures["largest_seconds"] = most;
  return finding;
}

}  // namespace lynceus::doctor
