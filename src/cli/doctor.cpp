#include <fmt/format.h>

#include "cli/command.h"
#include "cli/page.h"
#include "cli/runtime.h"
#include "core/log.h"
#include "doctor/doctor.h"
#include "parallel/agreement.h"
#include "parallel/mpi_session.h"

namespace lynceus::cli {
namespace {

constexpr const char* kHelp =
    R"(usage: lynceus doctor [--quick] [--json] [--allow-warnings] [--run DIR] [OPTIONS OF train]...

Checks the machine before a run spends node-hours on it, on the ranks that --ranks N, mpirun or srun
started: the launch, cores, limits, clocks, GPUs, the network between the ranks, and with --run or
--output the file system. Give it the options of the run: then memory, disk and messages are compared
with what the model needs. Each finding has one remedy. Nothing is changed.

  lynceus doctor --quick
  lynceus doctor --ranks 4 --parallel.tensor 2 --run runs/stage1
  mpirun -n 8 lynceus doctor --config lynx-7b --config pretrain-224 --run runs/stage1 --json

Exit codes as those of monitoring plug-ins: 0 all ok, 1 a warning, 2 something critical, 3 a check could
not be made, or wrong usage. With --allow-warnings a warning ends with 0: a script that trains only after
exit code 0 is then safe, however a check may fail. --quick takes at most 10 seconds, without it at most a minute.

)";

/// The exit code of a monitoring plug-in for what cannot be checked, usage included.
constexpr auto kUnknown = static_cast<ExitCode>(3);

struct DoctorConfig {
  bool quick = false;
  bool json = false;
  bool allow_warnings = false;
  std::string output;

  template <typename Visitor>
  void visit(Visitor& v) {
    v.field("quick", quick, "small messages and files only");
    v.field("json", json, "print one JSON object in place of the table");
    v.field("allow-warnings", allow_warnings, "exit code 0 if nothing is worse than a warning");
    v.field("output", output,
            "folder whose file system is checked; empty: that of --run, if it is given");
  }
};

struct Settings {
  DoctorConfig doctor;
  DeviceConfig device;
  train::RunConfig run;
};

bool has_model(const ConfigReader& reader) {
  for (const char* key : {"model.weights", "model.hidden_size", "model.num_layers"})
    if (reader.origin(key) != "default") return true;
  return false;
}

CommandLine read_line(const Arguments& arguments, ConfigReader* reader, Settings* settings) {
  reader->add(settings->doctor);
  reader->add(settings->device);
  reader->add(settings->run);
  CommandLine line = reader->read(arguments, [&](ConfigFaults* faults) {
    settings->device.check(faults);
    settings->run.check(faults);
  });
  if (!line.help && !line.positionals.empty())
    throw UsageError("doctor: unexpected argument '{}'; options begin with --",
                     line.positionals.front());
  return line;
}

ExitCode examine(parallel::Communicator& world, const Arguments& arguments) {
  Settings settings;
  ConfigReader reader;
  CommandLine line;
  parallel::agree(world, [&] { line = read_line(arguments, &reader, &settings); });
  if (print_page(line, kHelp, reader, world)) return ExitCode::kDone;
  log::set_up(world.rank(), world.size(), "warn");
  const bool names_run = reader.origin("run") != "default";
  doctor::DoctorOptions options;
  options.quick = settings.doctor.quick;
  options.directory = settings.doctor.output;
  if (options.directory.empty() && names_run) options.directory = settings.run.options.run;
  options.device = settings.device.device;
  options.has_model = has_model(reader);
  options.make_runtime = [&](const parallel::GridShape& shape) {
    train::ParallelConfig parallel = settings.run.parallel;
    parallel.tensor = shape.tensor;
    parallel.pipeline = shape.pipeline;
    parallel.data = shape.data;
    return make_runtime(parallel, settings.device);
  };
  const doctor::DoctorReport report = doctor::examine(world, &settings.run, &reader, options);
  if (world.rank() == 0) {
    if (settings.doctor.json)
      fmt::print("{}\n", to_json(report).dump_replacing());
    else
      for (const std::string& text : table_of(report)) fmt::print("{}\n", text);
    std::fflush(stdout);
  }
  if (settings.doctor.allow_warnings && report.verdict() == doctor::Verdict::kWarning)
    return ExitCode::kDone;
  return static_cast<ExitCode>(doctor::plugin_code(report.verdict()));
}

}  // namespace

ExitCode run_doctor(const Arguments& arguments) {
  const auto world = parallel::make_world();
  try {
    return examine(*world, arguments);
  } catch (const parallel::AgreedError& error) {
    throw parallel::AgreedError(kUnknown, error.what());
  }
}

}  // namespace lynceus::cli
