// The lynceus binary: runs a subcommand. Only this file catches every error, and only it aborts
// other ranks.
#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>

#include "cli/command.h"
#include "cli/runtime.h"
#include "core/fault.h"
#include "core/version.h"
#include "parallel/agreement.h"
#include "parallel/communicator.h"
#include "parallel/mpi_session.h"

namespace lynceus::cli {
namespace {

struct Command {
  const char* name;
  const char* summary;
  ExitCode (*run)(const Arguments&);
};

constexpr Command kCommands[] = {
    {"prepare", "convert a corpus of images, videos or texts to dataset shards", run_prepare},
    {"train", "train a model on all ranks; continues an existing run", run_train},
    {"evaluate", "score a checkpoint of a run on held-out data", run_evaluate},
    {"inspect", "show and check a dataset shard, a checkpoint, a run or weights", run_inspect},
    {"verify", "compare this build on this machine with reference cases", run_verify},
    {"export", "write the weights of a checkpoint for other programs", run_export},
};

void print_help() {
  fmt::print("Lynceus trains Lynx-style multimodal LLMs on many ranks.\n\n");
  fmt::print("usage: lynceus COMMAND [ARGUMENT]... [--config FILE.ini]... [--OPTION VALUE]...\n");
  fmt::print("       lynceus --version\n\n");
  for (const Command& command : kCommands)
    fmt::print("  {:<10} {}\n", command.name, command.summary);
  fmt::print("\n`lynceus COMMAND --help` lists the options of a command, with examples.\n\n");
  fmt::print(
      "Exit codes: 0 success, 1 a bug in Lynceus, 2 wrong usage, 3 bad input, 4 I/O error, 5 "
      "numeric failure,\n");
  fmt::print("75 stopped on request after a checkpoint: start the same command again.\n");
}

const Command& find_command(const std::string& name) {
  for (const Command& command : kCommands)
    if (name == command.name) return command;
  throw UsageError("expected a command, found '{}'; `lynceus --help` lists all commands", name);
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
  const Command* command = nullptr;
  parallel::agree(world, [&] {
    command = &find_command(name);
    if (const char* plans = std::getenv("LYNCEUS_FAULT"))
      fault::parse_plans(plans);  // reports typos early
  });
  return static_cast<int>(command->run(Arguments(argv + 2, argv + argc)));
}

/// Rank 0 prints errors that all ranks agreed on. An error of one rank aborts the others.
int guarded(int argc, char** argv) {
  using parallel::MpiSession;
  std::optional<MpiSession> session;
  std::unique_ptr<parallel::Communicator> world;
  const auto fail = [&](ExitCode code, const char* kind, const char* what) {
    const bool alone = world == nullptr || world->size() == 1;
    const std::string who = alone ? "" : fmt::format("rank {}: ", world->rank());
    fmt::print(stderr, "lynceus: {}{}{}\n", who, kind, what);
    std::fflush(nullptr);
    if (!alone) MpiSession::abort(static_cast<int>(code));
    return static_cast<int>(code);
  };
  try {
    session.emplace(&argc, &argv);
    world = parallel::make_world();
    return run(*world, argc, argv);
  } catch (const parallel::AgreedError& error) {
    if (world->rank() == 0) fmt::print(stderr, "lynceus: {}\n", error.what());
    return static_cast<int>(error.code());
  } catch (const Error& error) {
    return fail(error.code(), "", error.what());
  } catch (const std::exception& error) {
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
  // Writing beyond a file-size limit is then an error with a message, not a silent death.
  std::signal(SIGXFSZ, SIG_IGN);
  lynceus::cli::share_threads();
  return lynceus::cli::guarded(argc, argv);
}
