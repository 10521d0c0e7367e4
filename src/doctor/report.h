// All findings of `lynceus doctor` as a table for people and as JSON for programs.
#pragma once

#include <string>
#include <vector>

#include "doctor/check_result.h"
#include "io/files/json_value.h"

namespace lynceus::doctor {

struct DoctorReport {
  int ranks = 1, nodes = 1;
  std::string grid;  ///< "2 tensor x 1 pipeline x 2 data"; empty: not known
  bool quick = false;
  double seconds = 0;
  CheckResults results;

  Verdict verdict() const { return worst_of(results); }
};

/// The exit code of a monitoring plugin (the Nagios Plugins Development Guidelines): 0 ok, 1
/// warning, 2 critical, 3 unknown.
int plugin_code(Verdict verdict);

/// One line a finding, below its group; the remedy on a line of its own.
std::vector<std::string> table_of(const DoctorReport& report);
io::JsonValue to_json(const DoctorReport& report);

}  // namespace lynceus::doctor
