#include "cli/page.h"

#include <fmt/format.h>

namespace lynceus::cli {

bool print_page(const CommandLine& line, const char* help, const ConfigReader& reader,
                const parallel::Communicator& world) {
  if (!line.help && !line.print_config) return false;
  if (world.rank() == 0)
    fmt::print("{}{}", line.help ? help : "", line.help ? reader.help() : reader.print());
  return true;
}

}  // namespace lynceus::cli
