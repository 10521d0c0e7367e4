// The lynceus binary: finds the subcommand, is the only place that catches every error and the only
// one that ends other ranks.
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "cli/command.h"
#include "core/fault.h"
#include "parallel/communicator.h"

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
    {"verify", "compare this build, on this machine and grid, with reference cases", run_verify},
};

void print_help() {
  fmt::print("lynceus: trains Lynx-style multimodal LLMs on many ranks\n\n");
  fmt::print("usage: lynceus COMMAND [--config FILE.ini]... [--section.key VALUE]...\n\n");
  for (const Command& command : kCommands)
    fmt::print("  {:<10} {}\n", command.name, command.summary);
  fmt::print("\n`lynceus COMMAND --help` has the options and examples of a command.\n");
  fmt::print(
      "Exit codes: 0 done, 2 usage, 3 input, 4 I/O, 5 numeric, 75 requeue me, 124 watchdog.\n");
}

const Command* find_command(const std::string& name) {
  for (const Command& command : kCommands)
    if (name == command.name) return &command;
  return nullptr;
}

int run(parallel::Communicator& world, int argc, char** argv) {
  const std::string name = argc > 1 ? argv[1] : "--help";
  if (name == "--help" || name == "-h" || name == "help") {
    if (world.rank() == 0) print_help();
    return 0;
  }
  const Command* command = find_command(name);
  parallel::agree(world, [&] {
    if (command == nullptr) throw UsageError("no command '{}'; `lynceus --help` lists them", name);
  });
  return static_cast<int>(command->run(Arguments(argv + 2, argv + argc)));
}

/// Errors that every rank has are told by rank 0; an error of one rank alone ends the others too.
int guarded(int argc, char** argv) {
  using parallel::MpiSession;
  const auto world = parallel::make_world();
  try {
    if (const char* plans = std::getenv("LYNCEUS_FAULT")) fault::parse_plans(plans);  // typos early
    return run(*world, argc, argv);
  } catch (const parallel::AgreedError& error) {
    if (world->rank() == 0) fmt::print(stderr, "lynceus: {}\n", error.what());
    return static_cast<int>(error.code());
  } catch (const Error& error) {
    fmt::print(stderr, "lynceus: {}{}\n",
               world->size() > 1 ? fmt::format("rank {}: ", world->rank()) : "", error.what());
    std::fflush(nullptr);
    if (world->size() > 1) MpiSession::abort(static_cast<int>(error.code()));
    return static_cast<int>(error.code());
  } catch (const std::exception& error) {
    fmt::print(stderr, "lynceus: rank {}: unexpected: {}\n", world->rank(), error.what());
    std::fflush(nullptr);
    if (world->size() > 1) MpiSession::abort(static_cast<int>(ExitCode::kInternal));
    return static_cast<int>(ExitCode::kInternal);
  }
}

}  // namespace
}  // namespace lynceus::cli

int main(int argc, char** argv) {
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) {
    std::fprintf(stderr, "lynceus: this processor has no AVX2 and FMA (x86-64-v3 is needed)\n");
    return static_cast<int>(lynceus::ExitCode::kUsage);
  }
  std::signal(SIGXFSZ,
              SIG_IGN);  // a file-size limit is an error of a write, not an end without a word
  lynceus::cli::share_threads();
  lynceus::parallel::MpiSession session(&argc, &argv);
  return lynceus::cli::guarded(argc, argv);
}
