#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

#include "cli/command.h"
#include "core/config/config.h"
#include "evaluate/compare/compare.h"
#include "evaluate/compare/item_file.h"
#include "evaluate/compare/page.h"
#include "evaluate/compare/paper_rows.h"
#include "parallel/launch/launch_environment.h"

namespace lynceus::cli {
namespace {

constexpr size_t kMostFiles = 26;  // one letter each

constexpr const char* kHelp =
    R"(usage: lynceus compare BASELINE OTHER... [--format table|json]

Compares systems on the items that both answered: per-item results as `lynceus evaluate` writes
them, or run directories that hold them (items*.jsonl). The first is the baseline of all others. For
each benchmark, set and class: right answers of both, their difference with a bootstrap interval over
media, the exact McNemar test, and how many pairs would show the difference. One sentence says whether
a difference is shown. Where two judges scored the same answers: Cohen's kappa. The results of the
paper follow as reported, not measured here.

  lynceus compare runs/llama/items.jsonl runs/vicuna/items.jsonl
  lynceus compare runs/base runs/ablation-1 runs/ablation-2
  lynceus compare a.jsonl b.jsonl --format json --resamples 100000 --seed 7

)";

struct CompareConfig {
  std::string format = "table";
  int64_t resamples = 10'000;
  uint64_t seed = 0;
  std::string paper = "auto";

  template <typename Visitor>
  void visit(Visitor& v) {
    v.choice("format", format, {"table", "json"}, "of the page: table, or one JSON object");
    v.field("resamples", resamples, "of the bootstrap");
    v.field("seed", seed, "of the bootstrap; the same seed gives the same intervals everywhere");
    v.field("paper", paper,
            "folder of the paper's tables; auto: those that come with Lynceus; none");
  }
  void check(ConfigFaults* faults) const {
    faults->expect(resamples >= 100 && resamples <= 10'000'000, "resamples", "100 to 10000000",
                   resamples);
  }
};

/// The result must not depend on whether a folder of the program was found, so `auto` needs it.
std::vector<evaluate::PaperTable> paper_tables(const CompareConfig& config) {
  if (config.paper == "none") return {};
  return evaluate::read_paper_tables(config.paper == "auto" ? evaluate::paper_folder()
                                                            : std::filesystem::path(config.paper));
}

}  // namespace

ExitCode run_compare(const Arguments& arguments) {
  CompareConfig config;
  ConfigReader reader;
  reader.add(config);
  const CommandLine line =
      reader.read(arguments, [&](ConfigFaults* faults) { config.check(faults); });
  if (line.help || line.print_config) {
    fmt::print("{}{}", line.help ? kHelp : "", line.help ? reader.help() : reader.print());
    return ExitCode::kDone;
  }
  if (parallel::is_launched(parallel::process_environment()))
    throw UsageError("compare: expected one process, found a rank of mpirun or srun");
  if (line.positionals.size() < 2 || line.positionals.size() > kMostFiles)
    throw UsageError(
        "compare: expected 2 to {} files or run directories, found {}; `lynceus compare --help` "
        "has "
        "examples",
        kMostFiles, line.positionals.size());
  std::vector<evaluate::ItemFile> files;
  for (const std::string& path : line.positionals) files.push_back(evaluate::read_item_file(path));
  const evaluate::CompareOptions options{config.seed, config.resamples};
  const std::vector<evaluate::PaperTable> paper = paper_tables(config);
  const evaluate::ComparisonReport report = evaluate::compare(files, options);
  const evaluate::ComparedFiles compared{files, paper, options};
  if (config.format == "json")
    fmt::print("{}\n", comparison_json(compared, report).dump_replacing());
  else
    fmt::print("{}", comparison_page(compared, report));
  return ExitCode::kDone;
}

}  // namespace lynceus::cli
