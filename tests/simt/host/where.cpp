// addr2line is started for each address: a message is printed once, before the process ends.
#include "where.h"

#include <dlfcn.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "core/error.h"

namespace lynceus::simt::engine {
namespace {

/// The lines of addr2line for an address: function, then place, from the innermost inlined one
/// outwards.
std::vector<std::string> ask(uintptr_t address) {
  Dl_info image{};
  if (dladdr(reinterpret_cast<const void*>(address), &image) == 0) return {};
  // Kernels are in the program, never in a shared library.
  const std::string command =
      fmt::format("addr2line -f -i -C -e /proc/{}/exe {:#x} 2>/dev/null", getpid(),
                  address - reinterpret_cast<uintptr_t>(image.dli_fbase));
  std::vector<std::string> lines;
  std::FILE* const pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return {};
  char buffer[4096];
  while (std::fgets(buffer, sizeof buffer, pipe) != nullptr) {
    lines.emplace_back(buffer);
    if (lines.back().ends_with('\n')) lines.back().pop_back();
  }
  pclose(pipe);
  return lines;
}

}  // namespace

std::string function_at(const void* address) {
  const auto lines = ask(reinterpret_cast<uintptr_t>(address));
  // The first instruction may belong to an inlined function; the function itself comes last.
  return lines.size() < 2 ? "?" : lines[lines.size() - 2];
}

std::string caller_at(const void* return_address) {
  const auto lines = ask(reinterpret_cast<uintptr_t>(return_address) - 1);
  std::string text;
  for (size_t i = 1; i < lines.size(); i += 2) {
    const std::string where = lines[i].substr(0, lines[i].find(" (discriminator"));
    text += (text.empty() ? "" : ", inlined at ") + where;
  }
  return text.empty() ? "?" : text;
}

}  // namespace lynceus::simt::engine
