#include "cli/fault_option.h"

#include <string_view>
#include <vector>

#include "core/fault.h"

namespace lynceus::cli {
namespace {

constexpr std::string_view kOption = "--fault";

}  // namespace

bool take_faults(const std::string& command, Arguments* arguments) {
  std::vector<fault::Plan> plans;
  const bool wants_help = take_fault_plans(command, arguments, &plans);
  if (!plans.empty()) fault::arm(plans);
  return wants_help;
}

bool take_fault_plans(const std::string& command, Arguments* arguments,
                      std::vector<fault::Plan>* plans) {
  bool wants_help = false;
  for (size_t i = 0; i < arguments->size() && (*arguments)[i] != "--";) {
    const std::string argument = (*arguments)[i];
    const bool joined = argument.starts_with(std::string(kOption) + "=");
    if (argument != kOption && !joined) {
      ++i;
      continue;
    }
    if (command != "train" && command != "prepare")
      throw UsageError("--fault: expected one of the commands train, prepare before it, found '{}'",
                       command);
    const bool has_value = joined || i + 1 < arguments->size();
    if (!has_value) throw UsageError("--fault: expected NAME:ACTION or help, found nothing");
    const std::string text = joined ? argument.substr(kOption.size() + 1) : (*arguments)[i + 1];
    if (text == "help")
      wants_help = true;
    else
      for (fault::Plan& plan : fault::parse_plans(text, "--fault"))
        plans->push_back(std::move(plan));
    const auto at = arguments->begin() + static_cast<std::ptrdiff_t>(i);
    arguments->erase(at, at + (joined ? 1 : 2));
  }
  return wants_help;
}

}  // namespace lynceus::cli
