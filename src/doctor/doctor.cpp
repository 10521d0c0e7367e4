#include "doctor/doctor.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <optional>

#include "core/accelerator.h"
#include "core/cores.h"
#include "core/progress.h"
#include "core/text/units.h"
#include "core/text/utc.h"
#include "doctor/clocks.h"
#include "doctor/gpus.h"
#include "doctor/kernel_log.h"
#include "doctor/launch.h"
#include "doctor/limits.h"
#include "doctor/memory.h"
#include "doctor/needs.h"
#include "doctor/network/links.h"
#include "doctor/network/network.h"
#include "doctor/placement.h"
#include "doctor/storage.h"
#include "parallel/agreement.h"
#include "parallel/mpi_session.h"
#include "train/incarnation/job_clock.h"
#include "train/incarnation/node_ledger.h"
#include "train/run/rank_agreement.h"

namespace lynceus::doctor {
namespace {

/// Each group at the place of its first result: some checks follow later than others.
void sort_by_group(CheckResults* results) {
  std::map<std::string, int> places;
  for (const CheckResult& result : *results)
    places.try_emplace(result.group(), static_cast<int>(places.size()));
  std::stable_sort(results->begin(), results->end(),
                   [&](const CheckResult& a, const CheckResult& b) {
                     return places[a.group()] < places[b.group()];
                   });
}

constexpr int kGroups = 6;
// The seconds of the measurements; those of a start and of single calls come on top.
constexpr double kNetworkSeconds = 25, kQuickNetworkSeconds = 3;
constexpr double kLinkSeconds = 8, kQuickLinkSeconds = 4;
// Buffers of a message: the rank's, MPI's and a copy; half of the memory is left free.
constexpr int64_t kBuffers = 8;

class Examination {
 public:
  Examination(parallel::Communicator& world, train::RunConfig* config, ConfigReader* reader,
              const DoctorOptions& options)
      : world_(world),
        config_(config),
        reader_(reader),
        options_(options),
        progress_("doctor", kGroups, "groups",
                  {.file = world.rank() == 0 && options.shows_progress ? stderr : nullptr}) {}

  DoctorReport run() {
    const auto begin = std::chrono::steady_clock::now();
    check_all();
    show("");
    progress_.finish();
    sort_by_group(&report_.results);
    report_.ranks = world_.size();
    report_.quick = options_.quick;
    report_.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    agree_on_verdict();
    return std::move(report_);
  }

 private:
  void check_all() {
    const bool is_one_world = launch();
    progress_.advance();
    if (!is_one_world) return;
    guarded("placement", [&] { add(check_placement(ranks_)); });
    progress_.advance();
    guarded("gpu", [&] { gpus(); });  // before this program uses them
    progress_.advance();
    guarded("limits", [&] { limits(); });
    progress_.advance();
    if (!same_program_) {
      add({not_checked("network.world", "not checked: the ranks differ",
                       "start the same program with the same config on all ranks")});
      return;
    }
    std::optional<Runtime> rt;
    guarded("launch", [&] { rt = options_.make_runtime(grid_.shape); });
    if (!rt) return;
    Needs needs;
    if (options_.has_model && grid_.fault.empty()) guarded("config", [&] { needs = model(*rt); });
    guarded("limits", [&] { memory(needs); });
    guarded("network", [&] { network(*rt, needs); });
    progress_.advance();
    if (!options_.directory.empty()) guarded("storage", [&] { storage(needs); });
    progress_.advance();
  }

  /// Returns whether the ranks can talk to each other.
  bool launch() {
    show("launch");
    const CheckResult one = check_world(parallel::process_environment(), world_.size());
    add({one});
    if (one.verdict == Verdict::kCritical) return false;
    Facts mine;
    mine[kNode] = train::node_name();
    std::string failure = parallel::failure_of([&] {
      collect_launch(&mine);
      collect_placement(&mine, uses_device());
      collect_memory(&mine);
    });
    failure = parallel::agreed_failure(world_, failure);
    if (!failure.empty()) add({not_checked("launch.facts", failure, "see the message")});
    ranks_ = gather(world_, mine);
    report_.nodes = static_cast<int>(ranks_by_node(ranks_).size());
    const CheckResult program = check_program(ranks_);
    const CheckResult same = check_config(config_difference(), reader_->values().size());
    same_program_ = program.is_ok() && same.is_ok();
    add({check_nodes(ranks_), program, same});
    const train::ParallelConfig& p = config_->parallel;
    grid_ = fit_grid(p.tensor, p.pipeline, p.data, world_.size());
    if (same_program_) add({check_grid(grid_, ranks_)});
    report_.grid = grid_.shape.to_string();
    return true;
  }

  std::string config_difference() {
    train::RunIdentity identity;
    identity.config = reader_->values();
    const Runtime rt(Stream(), parallel::make_grid({1, 1, world_.size()}, parallel::make_world()));
    try {
      train::check_same_everywhere(rt, identity);
    } catch (const parallel::AgreedError& error) {
      // Another version is a finding of its own.
      const std::string text = error.what();
      return text.find("'program\t") == std::string::npos ? text : "";
    }
    return "";
  }

  bool uses_device() const { return options_.device != "cpu" && accelerator::device_count() > 0; }

  std::vector<int> ranks_here() const {
    return ranks_by_node(ranks_).at(text_of(my_facts(), kNode));
  }
  const Facts& my_facts() const { return ranks_[static_cast<size_t>(world_.rank())]; }

  void gpus() {
    show("GPUs");
    const std::vector<int> here = ranks_here();
    CheckResults mine;
    if (here.front() == world_.rank()) {
      GpuUse use;
      use.wants_device = options_.device != "cpu";
      use.must_have = options_.device == "cuda";
      use.visible = accelerator::device_count();
      if (use.visible == 0) use.why_none = accelerator::why_no_device();
      use.ranks_on_node = static_cast<int>(here.size());
      for (const int rank : here)
        use.own_processes.push_back(number_of(ranks_[static_cast<size_t>(rank)], "process"));
      std::error_code ignored;
      use.driver_is_loaded = std::filesystem::exists("/proc/driver/nvidia", ignored);
      mine = check_gpus(read_gpus(), use, read_kernel_log());
    }
    add(merge(world_, text_of(my_facts(), kNode), mine));
  }

  void limits() {
    show("limits");
    LimitNeeds needs;
    needs.world = world_.size();
    needs.ranks_on_node = static_cast<int>(ranks_here().size());
    needs.threads = static_cast<int>(number_of(my_facts(), "threads"));
    needs.has_fast_network = has_fast_network();
    CheckResults mine = check_limits(read_limits(), needs);
    mine.push_back(check_shared_memory(read_shared_memory(), needs));
    add(merge(world_, text_of(my_facts(), kNode), mine));
    add({check_clocks(measure_clocks(world_, ranks_), ranks_)});
    const auto end = train::find_job_end(config_->train.max_hours, train::process_begin());
    add({check_job_end(end, world_.rank() == 0 ? job_end_of_slurm() : std::nullopt, unix_now())});
  }

  Needs model(const Runtime& rt) {
    show("config");
    constexpr const char* kCheck = "config.model";
    Needs needs;
    const std::string failure = parallel::agreed_failure(world_, parallel::failure_of([&] {
                                                           resolve_model(config_, reader_, rt);
                                                           needs = needs_of(rt, *config_);
                                                         }));
    add({judged(kCheck, failure.empty() ? Verdict::kOk : Verdict::kCritical,
                failure.empty()
                    ? fmt::format("{} parameters, at least {} on a rank, checkpoints of {}",
                                  count_text(needs.parameters),
                                  bytes_text(static_cast<uint64_t>(needs.rank_bytes)),
                                  bytes_text(static_cast<uint64_t>(needs.checkpoint_bytes)))
                    : failure,
                "a config that `lynceus train` accepts",
                "correct the config: `lynceus train ... --print-config` shows each value and its "
                "origin")});
    return needs;
  }

  void memory(const Needs& needs) {
    std::vector<int64_t> needed;
    for (const std::string& text : world_.all_gather(std::to_string(needs.rank_bytes)))
      needed.push_back(std::stoll(text));
    add(check_memory(ranks_, needed));
  }

  void network(const Runtime& rt, const Needs& needs) {
    NetworkOptions network;
    network.quick = options_.quick;
    network.seconds = options_.quick ? kQuickNetworkSeconds : kNetworkSeconds;
    network.progress = [&](const std::string& what) { show(what); };
    network.buffer_bytes =
        number_of(my_facts(), "memory.available") / (kBuffers * std::ssize(ranks_here()));
    add(check_network(rt, needs, network));
    show("links");
    add({check_links(
        world_, ranks_,
        {.quick = options_.quick, .seconds = options_.quick ? kQuickLinkSeconds : kLinkSeconds})});
  }

  void storage(const Needs& needs) {
    StorageNeeds wanted;
    wanted.checkpoint_bytes = needs.checkpoint_bytes;
    wanted.kept = config_->checkpoint.keep_last;
    wanted.every_minutes = config_->checkpoint.given_minutes().value_or(0);  // auto: as needed
    add(check_storage(world_, options_.directory, wanted,
                      {.quick = options_.quick,
                       .progress = [&](const std::string& what) { show("storage: " + what); }}));
  }

  /// Runs a group. What fails in the checks themselves on all ranks is a finding.
  template <typename Work>
  void guarded(const std::string& group, const Work& work) {
    const std::string failure = parallel::failure_of(work);
    if (!failure.empty())
      add({not_checked(group + ".checks", failure, "see the message; report it if it is a bug")});
  }

  void add(const CheckResults& findings) {
    report_.results.insert(report_.results.end(), findings.begin(), findings.end());
  }
  void show(const std::string& what) { progress_.note(what); }

  void agree_on_verdict() {
    // Every rank ends with the exit code of rank 0's table.
    const auto mine = static_cast<int64_t>(report_.verdict());
    const std::string text = world_.broadcast(std::to_string(mine), 0);
    if (world_.rank() == 0) return;
    report_.results = {{"doctor.rank-0", static_cast<Verdict>(std::stoi(text)), "", "", "", ""}};
  }

  parallel::Communicator& world_;
  train::RunConfig* config_;
  ConfigReader* reader_;
  const DoctorOptions& options_;
  Progress progress_;
  DoctorReport report_;
  std::vector<Facts> ranks_;
  FittedGrid grid_;
  bool same_program_ = false;
};

}  // namespace

DoctorReport examine(parallel::Communicator& world, train::RunConfig* config, ConfigReader* reader,
                     const DoctorOptions& options) {
  return Examination(world, config, reader, options).run();
}

}  // namespace lynceus::doctor
