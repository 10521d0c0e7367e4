#include "doctor/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/text/units.h"

namespace lynceus::doctor {
namespace {

constexpr Verdict kVerdicts[] = {Verdict::kCritical, Verdict::kWarning, Verdict::kUnknown,
                                 Verdict::kOk};

std::string line_of(const CheckResult& finding, size_t width) {
  std::string line = fmt::format("  {:<8}  {:<{}}  {}", name_of(finding.verdict), finding.name(),
                                 width, finding.measured);
  if (!finding.where.empty()) line += fmt::format(" ({})", finding.where);
  if (!finding.is_ok() && !finding.expected.empty())
    line += fmt::format("; expected {}", finding.expected);
  return line;
}

std::string summary_of(const DoctorReport& report) {
  std::string counts;
  for (const Verdict verdict : kVerdicts) {
    const auto count = std::count_if(report.results.begin(), report.results.end(),
                                     [&](const CheckResult& f) { return f.verdict == verdict; });
    if (count > 0)
      counts += fmt::format("{}{} {}", counts.empty() ? "" : ", ", count, name_of(verdict));
  }
  return fmt::format("doctor: {} ({}) in {}", name_of(report.verdict()), counts,
                     seconds_text(report.seconds));
}

}  // namespace

int plugin_code(Verdict verdict) {
  switch (verdict) {
    case Verdict::kOk:
      return 0;
    case Verdict::kWarning:
      return 1;
    case Verdict::kCritical:
      return 2;
    case Verdict::kUnknown:
      break;
  }
  return 3;
}

std::vector<std::string> table_of(const DoctorReport& report) {
  std::vector<std::string> lines = {fmt::format(
      "{} on {}{}{}", counted(report.ranks, "rank"), counted(report.nodes, "node"),
      report.grid.empty() ? "" : ", " + report.grid, report.quick ? ", quick checks" : "")};
  size_t width = 0;
  for (const CheckResult& finding : report.results) width = std::max(width, finding.name().size());
  std::string group;
  for (const CheckResult& finding : report.results) {
    if (finding.group() != group) lines.push_back(group = finding.group());
    lines.push_back(line_of(finding, width));
    if (!finding.remedy.empty())
      lines.push_back(fmt::format("  {:<8}  {:<{}}  remedy: {}", "", "", width, finding.remedy));
  }
  lines.push_back(summary_of(report));
  return lines;
}

io::JsonValue to_json(const DoctorReport& report) {
  io::JsonValue findings = io::JsonValue::array();
  for (const CheckResult& finding : report.results) {
    io::JsonValue figures = io::JsonValue::object();
    for (const auto& [name, value] : finding.figures) figures.set(name, value);
    findings.push_back(io::JsonValue::object({{"group", finding.group()},
                                              {"name", finding.name()},
                                              {"verdict", name_of(finding.verdict)},
                                              {"measured", finding.measured},
                                              {"expected", finding.expected},
                                              {"remedy", finding.remedy},
                                              {"where", finding.where},
                                              {"figures", figures}}));
  }
  return io::JsonValue::object({{"verdict", name_of(report.verdict())},
                                {"ranks", report.ranks},
                                {"nodes", report.nodes},
                                {"grid", report.grid},
                                {"quick", report.quick},
                                {"seconds", std::round(1000 * report.seconds) / 1000},
                                {"findings", findings}});
}

}  // namespace lynceus::doctor
