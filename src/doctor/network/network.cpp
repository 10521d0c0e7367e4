#include "doctor/network/network.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <numeric>

#include "core/text/units.h"
#include "doctor/network/pattern.h"

namespace lynceus::doctor {
namespace {

using Clock = std::chrono::steady_clock;
using parallel::Communicator;
using parallel::Transfer;

constexpr int64_t kMiB = 1 << 20;
constexpr int64_t kLatencyBytes = 8;
constexpr int64_t kLeastForARate = 64 << 10;  // the time of a smaller one is its latency

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

int repetitions(int64_t bytes, bool quick) {
  if (bytes <= kLatencyBytes) return quick ? 20 : 50;
  if (bytes <= kMiB) return quick ? 5 : 10;
  return bytes <= 16 * kMiB ? 4 : 1;
}

struct NamedGroup {
  const char* name;
  Communicator* group;
  bool sums;  ///< an all-reduce, or an exchange
};

/// One kind of group, one size of message.
struct Measurement {
  double seconds = 0;  ///< the best repetition of the slowest rank
  std::string damage;  ///< "rank 3: element 17"; empty: none
};

class GroupBench {
 public:
  GroupBench(const Runtime& rt, const NamedGroup& named)
      : rt_(rt), group_(*named.group), sums_(named.sums) {
    const std::vector<std::string> texts = group_.all_gather(std::to_string(rt.grid.world->rank()));
    for (const std::string& text : texts) members_.push_back(std::stoi(text));
  }

  Measurement measure(int64_t bytes, int times) {
    const int64_t elements = std::max<int64_t>(2, bytes / int64_t{sizeof(float)});
    const Tensor host = Tensor::empty(rt_.host(), {elements});
    const Tensor mine = place(host), received = sums_ ? Tensor() : place(host);
    std::vector<double> seconds(static_cast<size_t>(times));
    for (double& each : seconds) {
      fill_pattern(host, rt_.grid.world->rank());
      if (mine.raw() != host.raw()) mine.copy_from(host);
      rt_.stream.synchronize();
      rt_.grid.world->barrier();
      const auto begin = Clock::now();
      transfer(mine, received);
      rt_.stream.synchronize();
      each = seconds_since(begin);
    }
    rt_.grid.world->all_reduce(Tensor::borrow(seconds.data(), {times}, DType::kF64),
                               parallel::ReduceOp::kMax);
    Measurement result;
    result.seconds = *std::min_element(seconds.begin(), seconds.end());
    result.damage = damage_of(sums_ ? mine : received, host);
    return result;
  }

 private:
  Tensor place(const Tensor& host) const {
    return rt_.stream.device().is_cpu() && sums_ ? host : Tensor::empty(rt_.stream, host.shape());
  }
  int before() const { return (group_.rank() + group_.size() - 1) % group_.size(); }

  void transfer(const Tensor& mine, const Tensor& received) {
    if (sums_) return group_.all_reduce(mine);
    const int after = (group_.rank() + 1) % group_.size();
    group_.exchange(std::vector<Transfer>{{after, mine}},
                    std::vector<Transfer>{{before(), received}});
  }

  std::string damage_of(const Tensor& result, const Tensor& host) {
    if (result.raw() != host.raw()) host.copy_from(result);
    rt_.stream.synchronize();
    const int64_t wrong = sums_ ? first_wrong_sum(host, members_)
                                : first_wrong(host, members_[static_cast<size_t>(before())]);
    std::string mine;
    if (wrong >= 0)
      mine = fmt::format("rank {}: element {} of {}", rt_.grid.world->rank(), wrong, host.size());
    for (const std::string& text : rt_.grid.world->all_gather(mine))
      if (!text.empty()) return text;
    return "";
  }

  const Runtime& rt_;
  Communicator& group_;
  bool sums_;
  std::vector<int> members_;  // ranks of the world
};

std::string rate_text(int64_t bytes, double seconds) {
  return bytes < kLeastForARate
             ? fmt::format("{} {:.1f} us", bytes_text(static_cast<uint64_t>(bytes)), 1e6 * seconds)
             : fmt::format("{} {:.0f} MiB/s", bytes_text(static_cast<uint64_t>(bytes)),
                           static_cast<double>(bytes) / static_cast<double>(kMiB) /
                               std::max(seconds, 1e-9));
}

std::vector<int64_t> sizes_of(const char* group, const Needs& needs, bool quick) {
  std::vector<int64_t> sizes = {kLatencyBytes, kMiB};
  if (!quick) sizes.insert(sizes.end(), {16 * kMiB, 256 * kMiB});
  const int64_t sent = needs.message_bytes(group);
  if (sent > kLatencyBytes && (!quick || sent <= 16 * kMiB)) sizes.push_back(sent);
  std::sort(sizes.begin(), sizes.end());
  sizes.erase(std::unique(sizes.begin(), sizes.end()), sizes.end());
  return sizes;
}

class NetworkCheck {
 public:
  NetworkCheck(const Runtime& rt, const Needs& needs, const NetworkOptions& options)
      : rt_(rt), needs_(needs), options_(options) {
    buffer_ = rt.grid.world->all_reduce(options.buffer_bytes, parallel::ReduceOp::kMin);
  }

  /// Of one group; `share` of the time is left for it.
  CheckResult check(const NamedGroup& named, double share) {
    GroupBench bench(rt_, named);
    const int64_t sent = needs_.message_bytes(named.name);
    const double budget = share * (options_.seconds - seconds_since(begin_));
    const auto begin = Clock::now();
    std::string rates, damage, left_out;
    CheckResult finding = passed(fmt::format("network.{}", named.name), "");
    double seconds_per_byte = 0;  // of a repetition, with filling and comparing
    for (const int64_t bytes : sizes_of(named.name, needs_, options_.quick)) {
      const int times = repetitions(bytes, options_.quick);
      const double expected = seconds_per_byte * static_cast<double>(bytes) * times;
      const bool has_time = bytes <= kMiB || seconds_since(begin) + expected <= budget;
      if (!all_agree(bytes <= buffer_ && has_time)) {
        left_out = fmt::format(", {} left out", bytes_text(static_cast<uint64_t>(bytes)));
        break;
      }
      if (options_.progress)
        options_.progress(
            fmt::format("{} group, {}", named.name, bytes_text(static_cast<uint64_t>(bytes))));
      const auto start = Clock::now();
      const Measurement measured = bench.measure(bytes, times);
      if (bytes > kLatencyBytes)
        seconds_per_byte = seconds_since(start) / times / static_cast<double>(bytes);
      rates += fmt::format("{}{}{}", rates.empty() ? "" : ", ", rate_text(bytes, measured.seconds),
                           bytes == sent ? " (as this model)" : "");
      finding.figures[fmt::format("{}_bytes_seconds", bytes)] = measured.seconds;
      if (damage.empty() && !measured.damage.empty())
        damage = fmt::format("{}, message of {}", measured.damage,
                             bytes_text(static_cast<uint64_t>(bytes)));
    }
    finding.measured = fmt::format("{} of {}: {}{}", named.sums ? "all-reduce" : "exchange",
                                   counted(named.group->size(), "rank"), rates, left_out);
    if (damage.empty()) return finding;
    finding.verdict = Verdict::kCritical;
    finding.measured = fmt::format("wrong data on {}", damage);
    finding.expected = "what was sent";
    finding.remedy =
        "do not train on these nodes: the check of links names the pair, leave its node out "
        "(--exclude); if all pairs fail, try another transport (--mca pml ob1 --mca btl tcp,self)";
    return finding;
  }

 private:
  /// Whether rank 0 says so.
  bool all_agree(bool mine) { return rt_.grid.world->broadcast(mine ? "y" : "", 0) == "y"; }

  const Runtime& rt_;
  const Needs& needs_;
  const NetworkOptions& options_;
  int64_t buffer_;
  Clock::time_point begin_ = Clock::now();
};

}  // namespace

CheckResults check_network(const Runtime& rt, const Needs& needs, const NetworkOptions& options) {
  const parallel::Grid& grid = rt.grid;
  CheckResults findings;
  if (grid.world->size() == 1) return {passed("network.world", "one rank")};
  NetworkCheck check(rt, needs, options);
  const NamedGroup groups[] = {{"world", grid.world.get(), true},
                               {"tensor", grid.tensor.get(), true},
                               {"data", grid.data.get(), true},
                               {"pipeline", grid.pipeline.get(), false},
                               {"replica", grid.replica.get(), false}};
  const auto is_there = [](const NamedGroup& named) { return named.group->size() > 1; };
  auto left = std::count_if(std::begin(groups), std::end(groups), is_there);
  for (const NamedGroup& named : groups)
    if (is_there(named)) findings.push_back(check.check(named, 1.0 / static_cast<double>(left--)));
  return findings;
}

}  // namespace lynceus::doctor
