// The sources of `lynceus prepare`, one function each, and how each reads its command line.
#pragma once

#include <fmt/format.h>

#include <string>

#include "cli/command.h"
#include "core/config.h"
#include "core/error.h"
#include "parallel/agreement.h"
#include "parallel/communicator.h"
#include "prepare/output.h"

namespace lynceus::cli {

/// A source's options behind its name. Collective; errors are agreed.
using RunSource = void(const Arguments& arguments, parallel::Communicator& world);
RunSource run_shapes;
RunSource run_jsonl;
RunSource run_coco;
RunSource run_llava;
RunSource run_openvqa;
RunSource run_text;
RunSource run_webdataset;
RunSource run_video;

/// Reads options of all sources and of this one; then, unless a page was asked for, goes on.
template <typename Config>
void run_source(const std::string& source, const char* help, const Arguments& arguments,
                parallel::Communicator& world,
                void (*prepare)(const prepare::PrepareConfig&, const Config&,
                                parallel::Communicator&)) {
  prepare::PrepareConfig common;
  Config config;
  bool has_spoken = false;
  parallel::agree(world, [&] {
    ConfigReader reader;
    reader.add(config);
    reader.add(common);
    const CommandLine line = reader.read(arguments);
    has_spoken = line.help || line.print_config;
    if (line.help) {
      if (world.rank() == 0) fmt::print("{}{}", help, reader.help());
      return;
    }
    if (!line.positionals.empty())
      throw UsageError("prepare {}: expected options only, found '{}'", source,
                       line.positionals[0]);
    common.check();
    if (line.print_config && world.rank() == 0) fmt::print("{}", reader.print());
  });
  if (!has_spoken) prepare(common, config, world);
}

}  // namespace lynceus::cli
