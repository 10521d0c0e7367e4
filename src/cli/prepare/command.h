// The sources of `lynceus prepare`: one function each, and how they read their command line. The
// header of prepare_sources.cpp and prepare_shapes.cpp.
#pragma once

#include <string>

#include "cli/command.h"
#include "cli/page.h"
#include "core/config/config.h"
#include "core/error.h"
#include "io/files/file_pattern.h"
#include "parallel/agreement.h"
#include "parallel/communicator.h"
#include "prepare/inputs.h"
#include "prepare/output.h"

namespace lynceus::cli {

/// `arguments` are those after the name of the source. Collective; errors are agreed.
using RunSource = void(const Arguments& arguments, parallel::Communicator& world);
RunSource run_shapes;
RunSource run_jsonl;
RunSource run_coco;
RunSource run_llava;
RunSource run_openvqa;
RunSource run_text;
RunSource run_webdataset;
RunSource run_video;
RunSource run_folder;

/// Reads the common options and those of one source. Then prints the page that they ask for, or
/// calls `prepare`.
template <typename Config>
void run_source(const std::string& source, const char* help, const Arguments& arguments,
                parallel::Communicator& world,
                void (*prepare)(const prepare::PrepareConfig&, const Config&,
                                parallel::Communicator&)) {
  prepare::PrepareConfig common;
  Config config;
  bool is_page = false;
  parallel::agree(world, [&] {
    ConfigReader reader;
    reader.add(config);
    reader.add(common);
    const CommandLine line = reader.read(arguments);
    is_page = line.help || line.print_config;
    if (!line.help && !line.positionals.empty())
      throw UsageError("prepare {}: unexpected argument '{}'; options begin with --", source,
                       line.positionals[0]);
    if (!line.help) common.check();
    if constexpr (requires { config.input; }) {
      if (!line.help && !line.print_config)
        config.input = prepare::checked_inputs(io::expand_patterns("--input", config.input),
                                               world.rank() == 0);
    }
    print_page(line, help, reader, world);
  });
  if (!is_page) prepare(common, config, world);
}

}  // namespace lynceus::cli
