// The lynceus binary: runs a subcommand. Only this file catches every error, and only it aborts
// other ranks.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <system_error>

#include "cli/command.h"
#include "cli/evaluate_answers.h"
#include "cli/fault_option.h"
#include "cli/launch.h"
#include "cli/runtime.h"
#include "core/fault.h"
#include "core/fault_points.h"
#include "core/process/end_process.h"
#include "core/process/out_of_memory.h"
#include "core/text/spelling.h"
#include "core/version.h"
#include "io/files/hdf5_start.h"
#include "parallel/agreement.h"
#include "parallel/communicator.h"
#include "parallel/launch/launch_environment.h"
#include "parallel/launch/launcher_link.h"
#include "parallel/mpi_session.h"

namespace lynceus::cli {
namespace {

constexpr auto kDoctorUnknown = static_cast<ExitCode>(3);

struct Command {
  const char* name;
  const char* summary;
  ExitCode (*run)(const Arguments&);
  bool needs_mpi = true;
};

constexpr Command kCommands[] = {
    {"prepare", "convert a corpus of images, videos or texts to dataset shards", run_prepare},
    {"train", "train a model on all ranks; continues an existing run", run_train},
    {"generate", "answer questions about images and videos with a checkpoint", run_generate},
    {"evaluate", "score a checkpoint on held-out data, or answers to a benchmark", run_evaluate},
    {"compare", "compare per-item results of systems: differences, tests, intervals", run_compare,
     false},
    {"status", "show where runs are: queued, running, stopped, failed and why", run_status},
    {"doctor", "check launch, machine, network and storage before a run", run_doctor},
    {"inspect", "show and check a dataset shard, a checkpoint, a run or weights", run_inspect},
    {"verify", "compare this build on this machine with reference cases", run_verify},
    {"export", "write the weights of a checkpoint for other programs", run_export},
    {"submit", "submit a run to Slurm: one job, stages, an array or a sweep", run_submit, false},
};

void print_help() {
  fmt::print("Lynceus trains Lynx-style multimodal LLMs on many ranks.\n\n");
  fmt::print("usage: lynceus COMMAND [ARGUMENT]... [--config FILE.ini]... [--OPTION VALUE]...\n");
  fmt::print("       lynceus COMMAND --ranks N ...   on N ranks of this machine\n");
  fmt::print("       lynceus --version\n\n");
  for (const Command& command : kCommands)
    fmt::print("  {:<10} {}\n", command.name, command.summary);
  fmt::print("\n`lynceus COMMAND --help` lists the options of a command, with examples.\n\n");
  fmt::print(
      "Exit codes: 0 success, 1 a bug in Lynceus, 2 wrong usage, 3 bad input, 4 I/O error, 5 "
      "numeric failure,\n");
  fmt::print(
      "75 stopped on request or before the end of the job, after a checkpoint, 124 a rank hung: "
      "start "
      "the same command again.\n93 crash loop: do not start it again. Those of doctor are on its "
      "page.\n");
}

const Command& find_command(const std::string& name) {
  for (const Command& command : kCommands)
    if (name == command.name) return command;
  std::vector<std::string> names;
  for (const Command& command : kCommands) names.emplace_back(command.name);
  const std::string near = nearest_name(name, names);
  throw UsageError("expected a command, found '{}'{}; `lynceus --help` lists all commands", name,
                   near.empty() ? "" : fmt::format(", did you mean {}?", near));
}

/// Whether the command is harmless where MPI does not see the other tasks of its launcher.
bool works_alone(const std::string& name, const Arguments& arguments) {
  const auto asks_for_page = [](const std::string& argument) {
    return argument == "--help" || argument == "-h" || argument == "--print-config";
  };
  return name == "inspect" || name == "status" || name == "doctor" ||
         std::any_of(arguments.begin(), arguments.end(), asks_for_page);
}

/// Commands of a login node. Many have no MPI that works, and what MPI adds to the environment
/// would reach the jobs.
bool runs_without_mpi(const std::string& name, const Arguments& arguments) {
  if (name == "evaluate") return scores_answers(arguments);
  return std::any_of(std::begin(kCommands), std::end(kCommands), [&](const Command& command) {
    return name == command.name && !command.needs_mpi;
  });
}

/// If standard output is a file on a full disk, writing the buffer fails. A reader that has seen
/// enough (`| head`) is no error.
void flush_output() {
  errno = 0;
  const bool failed = std::fflush(stdout) != 0 || std::ferror(stdout) != 0;
  if (failed && errno != EPIPE)
    throw IoError("standard output: {}", std::strerror(errno != 0 ? errno : EIO));
}

int run(parallel::Communicator& world, int argc, char** argv) {
  const std::string name = argc > 1 ? argv[1] : "--help";
  if (name == "--help" || name == "-h" || name == "help") {
    if (world.rank() == 0) print_help();
    return 0;
  }
  if (name == "--version") {
    if (world.rank() == 0) fmt::print("{}\n", software_version());
    return 0;
  }
  Arguments arguments(argv + 2, argv + argc);
  const Command* command = nullptr;
  bool wants_fault_help = false;
  parallel::agree(world, [&] {
    command = &find_command(name);
    const std::string lost = parallel::lost_world(parallel::process_environment(), world.size());
    if (!lost.empty() && !works_alone(name, arguments)) throw UsageError("{}: {}", name, lost);
    if (const char* plans = std::getenv("LYNCEUS_FAULT"))
      fault::parse_plans(plans);  // reports typos early
    wants_fault_help = take_faults(name, &arguments);
  });
  if (wants_fault_help) {
    if (world.rank() == 0) fmt::print("{}", fault::fault_help());
    return 0;
  }
  if (fault::is_armed() && world.rank() == 0)
    fmt::print(stderr, "warning: this start fails on purpose (--fault or LYNCEUS_FAULT): {}\n",
               fault::describe_armed());
  return static_cast<int>(command->run(arguments));
}

/// Rank 0 prints errors that all ranks agreed on. An error of one rank aborts the others.
int guarded(int argc, char** argv) {
  using parallel::MpiSession;
  std::optional<MpiSession> session;
  std::unique_ptr<parallel::Communicator> world;
  const auto fail = [&](ExitCode code, const char* kind, const char* what) {
    // Of doctor, 1 means a warning.
    if (argc > 1 && std::string_view(argv[1]) == "doctor") code = kDoctorUnknown;
    const std::string who =
        world == nullptr || world->size() == 1 ? "" : fmt::format("rank {}: ", world->rank());
    fmt::print(stderr, "lynceus: {}{}{}\n", who, kind, what);
    std::fflush(nullptr);
    // Without a world, others may wait for this rank while MPI starts.
    if (world == nullptr || world->size() > 1) MpiSession::abort(static_cast<int>(code));
    return static_cast<int>(code);
  };
  try {
    if (const Arguments arguments(argv + std::min(argc, 2), argv + argc);
        argc > 1 && runs_without_mpi(argv[1], arguments)) {
      const ExitCode code = find_command(argv[1]).run(arguments);
      if (code == ExitCode::kDone) flush_output();
      return static_cast<int>(code);
    }
    io::start_hdf5();
    session.emplace(&argc, &argv);
    world = parallel::make_world();
    share_threads();
    const int code = run(*world, argc, argv);
    if (code == 0) flush_output();
    return code;
  } catch (const parallel::AgreedError& error) {
    if (world->rank() == 0) fmt::print(stderr, "lynceus: {}\n", error.what());
    return static_cast<int>(error.code());
  } catch (const Error& error) {
    return fail(error.code(), "", error.what());
  } catch (const std::system_error& error) {
    return fail(ExitCode::kIo, "", is_out_of_memory(error) ? kOutOfMemory : error.what());
  } catch (const std::exception& error) {
    if (is_out_of_memory(error)) return fail(ExitCode::kIo, "", kOutOfMemory);
    return fail(ExitCode::kInternal, "unexpected: ", error.what());
  }
}

/// Whether the processor has x86-64-v3, for which the kernels are compiled (CMakeLists.txt). Tests
/// the extensions that both GCC and Clang 14 can query; a processor with these has the others too.
bool processor_fits() {
#ifdef __x86_64__
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
         __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
#else
  return true;
#endif
}

}  // namespace
}  // namespace lynceus::cli

int main(int argc, char** argv) {
  if (!lynceus::cli::processor_fits()) {
    std::fprintf(
        stderr, "lynceus: expected an x86-64-v3 processor (AVX2, BMI2, FMA), found an older one\n");
    return static_cast<int>(lynceus::ExitCode::kUsage);
  }
  lynceus::parallel::LauncherLink::connect();
  lynceus::end_when_out_of_memory([](int code) {
    lynceus::parallel::LauncherLink::report(lynceus::parallel::RankMessage::kAbort, code);
  });
  lynceus::set_end_of_job([](int code) { lynceus::parallel::MpiSession::abort(code); });
  // Writing beyond a file-size limit is then an error with a message, not a silent death.
  std::signal(SIGXFSZ, SIG_IGN);
  if (const auto code = lynceus::cli::launch_ranks(argc, argv)) return *code;
  const int code = lynceus::cli::guarded(argc, argv);
  if (!lynceus::parallel::LauncherLink::is_connected()) return code;
  // mpirun waits for long after a rank that ends with an error, so only the launcher learns of it.
  std::fflush(nullptr);
  lynceus::parallel::LauncherLink::report(lynceus::parallel::RankMessage::kEnd, code);
  return 0;
}
