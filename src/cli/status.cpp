#include <fmt/format.h>

#include "cli/command.h"
#include "cli/one_rank.h"
#include "status/status.h"

namespace lynceus::cli {
namespace {

constexpr const char* kHelp =
    R"(usage: lynceus status RUN... [--json]

Shows where runs are, one line for each run directory: state, step, seconds a step, time left, step
of the newest checkpoint, starts, place, and why it ended. It reads the run directory, so it works
from any machine that sees it, and asks Slurm's squeue where there is one. Nothing is changed.

  submitted   its job is not known      stopped     by request, its time limit or --stop-after
  queued      its job waits             finished    all steps are done
  starting    its job has begun         failed      with an error, which the note says
  loading     before its first step     killed      it ended without saying why
  running                               crash loop  see `lynceus train --restart-anyway`

  lynceus status runs/stage1
  lynceus status runs/*
  lynceus status runs/* --json

Exit code 0 if every RUN is a run directory, was submitted, or is the name of a queued job; otherwise 3.

)";

struct StatusConfig {
  bool json = false;

  template <typename Visitor>
  void visit(Visitor& v) {
    v.field("json", json, "print one line of JSON for each run");
  }
};

}  // namespace

ExitCode run_status(const Arguments& arguments) {
  StatusConfig config;
  ConfigReader reader;
  reader.add(config);
  const auto line =
      begin_on_one_rank("status", kHelp, arguments, &reader, [](const CommandLine& given) {
        if (given.positionals.empty())
          throw UsageError(
              "status: expected a run directory, found none; `lynceus status --help` has examples");
      });
  if (!line) return ExitCode::kDone;
  const auto queue = status::read_queue();
  std::vector<status::RunStatus> runs;
  std::string missing;
  for (const std::string& run : line->positionals) try {
      runs.push_back(status::status_of(run, queue));
    } catch (const InputError& error) {
      missing += fmt::format("{}{}", missing.empty() ? "" : "\n", error.what());
    }
  if (config.json)
    for (const status::RunStatus& run : runs) fmt::print("{}\n", to_json(run).dump_replacing());
  else if (!runs.empty())
    for (const std::string& text : status::table_of(runs)) fmt::print("{}\n", text);
  if (!missing.empty()) throw InputError(missing);
  return ExitCode::kDone;
}

}  // namespace lynceus::cli
