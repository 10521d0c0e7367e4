// Runs `lynceus doctor` on a machine with a defect.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "../cli/run_program.h"
#include "doctor/check_result.h"
#include "doctor/report.h"
#include "io/files/json.h"

namespace lynceus::doctor_test {

namespace fs = std::filesystem;
using cli_test::Arguments;
using cli_test::Folder;
using cli_test::Launch;
using cli_test::Output;
using cli_test::operator+;
using doctor::CheckResult;
using doctor::Verdict;
using testing::HasSubstr;

/// What a run printed with --json.
struct Outcome {
  Output output;
  doctor::CheckResults results;
  std::string verdict;

  CheckResult find(const std::string& check) const {
    for (const CheckResult& result : results)
      if (result.check == check) return result;
    ADD_FAILURE() << "no check " << check << "\n" << output.all();
    return {};
  }
  /// The names of the checks that are not ok.
  std::set<std::string> faults() const {
    std::set<std::string> names;
    for (const CheckResult& result : results)
      if (!result.is_ok()) names.insert(result.check);
    return names;
  }
};

inline Verdict verdict_of(const std::string& name) {
  for (const Verdict verdict :
       {Verdict::kOk, Verdict::kUnknown, Verdict::kWarning, Verdict::kCritical})
    if (name == doctor::name_of(verdict)) return verdict;
  ADD_FAILURE() << "no verdict: " << name;
  return Verdict::kUnknown;
}

/// Quick, with --json; the launch is that of the test. Ranks take their share of all cores, unless
/// the test says otherwise.
inline Outcome examine(const Arguments& options, Launch launch) {
  Outcome outcome;
  launch.environment.push_back("OMPI_MCA_hwloc_base_binding_policy=none");
  const std::string rest = launch.shell.empty() ? "exec \"$@\"" : launch.shell;
  launch.shell = "[ $OMP_NUM_THREADS -eq 1 ] && unset OMP_NUM_THREADS; " + rest;
  outcome.output = cli_test::run(Arguments{"doctor", "--quick", "--json"} + options, launch);
  try {
    const io::Json json = io::Json::parse(outcome.output.out, "doctor --json");
    outcome.verdict = json.at("verdict").string();
    for (const io::Json& item : json.at("findings").elements()) {
      CheckResult result;
      result.check = item.at("group").string() + "." + item.at("name").string();
      result.verdict = verdict_of(item.at("verdict").string());
      result.measured = item.at("measured").string();
      result.expected = item.at("expected").string();
      result.remedy = item.at("remedy").string();
      result.where = item.at("where").string();
      outcome.results.push_back(result);
    }
    EXPECT_EQ(outcome.output.code, doctor::plugin_code(verdict_of(outcome.verdict)))
        << outcome.output.all();
  } catch (const Error& error) {
    ADD_FAILURE() << error.what() << "\n" << outcome.output.all();
  }
  return outcome;
}

/// The check `name` found the defect, with this text and this remedy, and no other check did.
inline void expect_only(const Outcome& outcome, const std::string& name, Verdict verdict,
                        const std::string& measured, const std::string& remedy) {
  const CheckResult result = outcome.find(name);
  EXPECT_STREQ(doctor::name_of(result.verdict), doctor::name_of(verdict)) << result.measured;
  EXPECT_THAT(result.measured, HasSubstr(measured));
  EXPECT_THAT(result.remedy, HasSubstr(remedy));
  EXPECT_EQ(outcome.faults(), std::set<std::string>{name}) << outcome.output.all();
}

/// The variables for a defect of tests/doctor/defects.c; `rank` -1: on all ranks.
inline Arguments defect(const std::string& name, int rank = -1) {
  const char* options = std::getenv("ASAN_OPTIONS");
  Arguments variables = {
      "LD_PRELOAD=" LYNCEUS_DEFECTS, "DOCTOR_DEFECT=" + name,
      fmt::format("ASAN_OPTIONS={}:verify_asan_link_order=0", options ? options : "")};
  if (rank >= 0) variables.push_back(fmt::format("DOCTOR_DEFECT_RANK={}", rank));
  return variables;
}

/// A shell text that runs the command on `ranks` ranks, where `each` is run before each rank.
inline std::string on_ranks(int ranks, const std::string& each) {
  return fmt::format(
      "exec mpirun --oversubscribe --bind-to none -n {} sh -c '{} exec \"$0\" \"$@\"' \"$@\"",
      ranks, each);
}

/// Whether this process may make mount namespaces, as root of a container often may not.
inline bool may_mount() {
  return std::system("unshare -m sh -c 'mount -t tmpfs none /mnt' 2>/dev/null") == 0;
}
/// A shell text that runs the command in a mount namespace after `mounts`.
inline std::string with_mounts(const std::string& mounts) {
  return "exec unshare -m sh -c '" + mounts + " && exec \"$0\" \"$@\"' \"$@\"";
}
#define LYNCEUS_NEEDS_MOUNTS \
  if (!may_mount()) GTEST_SKIP() << "unshare -m and mount are not allowed here"

}  // namespace lynceus::doctor_test
