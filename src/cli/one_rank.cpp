#include "cli/one_rank.h"

#include "cli/page.h"
#include "core/log.h"
#include "parallel/agreement.h"
#include "parallel/mpi_session.h"

namespace lynceus::cli {

std::optional<CommandLine> begin_on_one_rank(const std::string& command, const char* help,
                                             const Arguments& arguments, ConfigReader* reader,
                                             const std::function<void(const CommandLine&)>& check) {
  const auto world = parallel::make_world();
  CommandLine line;
  parallel::agree(*world, [&] {
    line = reader->read(arguments);
    if (line.help || line.print_config) return;
    check(line);
    if (world->size() != 1)
      throw UsageError("{}: expected one rank, found {}", command, world->size());
  });
  if (print_page(line, help, *reader, *world)) return std::nullopt;
  log::set_up(world->rank(), world->size(), "warn");
  return line;
}

}  // namespace lynceus::cli
