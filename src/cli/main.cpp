// The lynceus binary: finds the subcommand, is the only place that catches every error and the only
// one that ends other ranks.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>

#include "cli/command.h"
#include "core/fault.h"
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
    {"prepare", "turn images, captions, questions and texts into dataset shards", run_prepare},
    {"train", "train a model on all ranks; resumes by itself", run_train},
    {"evaluate", "held-out accuracy of a run's checkpoint, one JSON line a task", run_evaluate},
    {"inspect", "what is in a dataset shard, a checkpoint, a run or a file of weights",
     run_inspect},
    {"verify", "compare this build, on this machine and grid, with reference cases", run_verify},
    {"export", "write a checkpoint's weights for other programs", run_export},
};

/// Commands to come.
constexpr const char* kLater[] = {"generate", "plan", "report", "doctor"};

void print_help() {
  fmt::print("lynceus: trains Lynx-style multimodal LLMs on many ranks\n\n");
  fmt::print("usage: lynceus COMMAND [--config FILE.ini]... [--section.key VALUE]...\n\n");
  for (const Command& command : kCommands)
    fmt::print("  {:<10} {}\n", command.name, command.summary);
  fmt::print("\n`lynceus COMMAND --help` has the options and examples of a command.\n");
  fmt::print("Exit codes: 0 done, 2 usage, 3 input, 4 I/O, 5 numeric, 75 requeue me.\n");
}

const Command& find_command(const std::string& name) {
  for (const Command& command : kCommands)
    if (name == command.name) return command;
  for (const char* later : kLater)
    if (name == later)
      throw UsageError("the command {} is not yet there; `lynceus --help` lists those that are",
                       name);
  throw UsageError("no command '{}'; `lynceus --help` lists them", name);
}

int run(parallel::Communicator& world, int argc, char** argv) {
  const std::string name = argc > 1 ? argv[1] : "--help";
  if (name == "--help" || name == "-h" || name == "help") {
    if (world.rank() == 0) print_help();
    return 0;
  }
  const Command* command = nullptr;
  parallel::agree(world, [&] {
    command = &find_command(name);
    if (const char* plans = std::getenv("LYNCEUS_FAULT")) fault::parse_plans(plans);  // typos early
  });
  return static_cast<int>(command->run(Arguments(argv + 2, argv + argc)));
}

/// Errors that every rank has are told by rank 0; an error of one rank alone ends the others too.
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

/// Whether the processor is the x86-64-v3 that the kernels are compiled for (CMakeLists.txt), by
/// those of its extensions that GCC and Clang 14 both can ask for; no processor has only these.
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
    std::fprintf(stderr, "lynceus: this processor is no x86-64-v3 (AVX2, BMI2, FMA are needed)\n");
    return static_cast<int>(lynceus::ExitCode::kUsage);
  }
  // A file-size limit is an error of a write, not an end without a word.
  std::signal(SIGXFSZ, SIG_IGN);
  lynceus::cli::share_threads();
  return lynceus::cli::guarded(argc, argv);
}
