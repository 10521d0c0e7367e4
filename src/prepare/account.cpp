#include "prepare/account.h"

#include <fmt/format.h>

#include "core/error.h"
#include "core/text/units.h"

namespace lynceus::prepare {
namespace {

using io::JsonValue;

JsonValue to_json(const DatasetSummary& summary) {
  return JsonValue::object({{"name", summary.name},
                            {"input", summary.input},
                            {"samples", summary.written.samples},
                            {"media", summary.written.media},
                            {"stored_media", summary.written.stored_media},
                            {"media_bytes", summary.written.media_bytes},
                            {"files", summary.written.files.size()},
                            {"rows", summary.rows},
                            {"rejected", summary.rejected},
                            {"first_problem", summary.first_problem},
                            {"account", prepare::to_json(summary.account)}});
}

DatasetSummary summary_of(const io::Json& json) {
  DatasetSummary summary;
  summary.name = json.at("name").string();
  summary.input = json.at("input").string();
  summary.written.samples = json.at("samples").integer(0);
  summary.written.media = json.at("media").integer(0);
  summary.written.stored_media = json.at("stored_media").integer(0);
  summary.written.media_bytes = static_cast<uint64_t>(json.at("media_bytes").integer(0));
  summary.written.files.resize(static_cast<size_t>(json.at("files").integer(0)));
  summary.rows = json.at("rows").integer(0);
  summary.rejected = counts_of(json.at("rejected"));
  summary.first_problem = json.at("first_problem").string();
  summary.account = account_of(json.at("account"));
  return summary;
}

const char* entries_word(int64_t count) { return count == 1 ? "entry" : "entries"; }

std::string passed_over_text(const std::map<std::string, int64_t>& kinds) {
  const int64_t total = total_of(kinds);
  return fmt::format("passed over {} {}: {}", total, entries_word(total), kinds_text(kinds));
}

}  // namespace

JsonValue to_json(const SourceAccount& account) {
  JsonValue notes = JsonValue::array();
  for (const std::string& note : account.notes) notes.push_back(note);
  return JsonValue::object({{"entries", account.entries},
                            {"passed_over", account.passed_over},
                            {"notes", std::move(notes)}});
}

SourceAccount account_of(const io::Json& json) {
  SourceAccount account{json.at("entries").integer(0), counts_of(json.at("passed_over")), {}};
  for (const io::Json& note : json.at("notes").elements()) account.notes.push_back(note.string());
  return account;
}

std::map<std::string, int64_t> counts_of(const io::Json& json) {
  std::map<std::string, int64_t> counts;
  for (const auto& [kind, count] : json.members()) counts[kind] = count.integer(0);
  return counts;
}

std::vector<DatasetSummary> gather_summaries(const std::vector<DatasetSummary>& mine, size_t count,
                                             parallel::Communicator& world) {
  if (world.size() == 1) return mine;
  JsonValue list = JsonValue::array();
  for (const DatasetSummary& summary : mine) list.push_back(to_json(summary));
  io::JsonLimits limits;
  limits.max_bytes = 1ull << 30;
  std::vector<io::Json> ranks;
  for (const std::string& text : world.all_gather(list.dump_replacing()))
    ranks.push_back(io::Json::parse(text, "the account of a rank", limits));
  std::vector<DatasetSummary> all;
  for (size_t i = 0; i < count; ++i)
    all.push_back(summary_of(ranks[i % ranks.size()].at(i / ranks.size())));
  return all;
}

void check_any_sample(const std::vector<DatasetSummary>& summaries,
                      const std::filesystem::path& directory) {
  DatasetSummary all;
  std::string list;
  std::string notes;
  for (const DatasetSummary& one : summaries) {
    if (one.written.samples > 0) return;
    all.rows += one.rows;
    for (const auto& [kind, rows] : one.rejected) all.rejected[kind] += rows;
    for (const auto& [kind, entries] : one.account.passed_over)
      all.account.passed_over[kind] += entries;
    for (const std::string& note : one.account.notes) notes += "; " + note;
    if (one.rejected.empty()) continue;
    if (all.first_problem.empty()) all.first_problem = one.first_problem;
    list = list.empty() ? rejects_path(directory, one.name).string()
                        : rejects_path(directory, "*").string();
  }
  std::string message = summaries.front().input;
  if (summaries.size() > 1)
    message +=
        fmt::format(" and {} other input{}", summaries.size() - 1, summaries.size() > 2 ? "s" : "");
  message += ": expected at least one sample, found none";
  if (!all.rejected.empty())
    message += fmt::format(": {} of {} rows are unusable ({}); {}the first is {}",
                           total_of(all.rejected), all.rows, kinds_text(all.rejected),
                           directory.empty() ? "" : "they are listed in " + list + "; ",
                           all.first_problem);
  if (!all.account.passed_over.empty()) message += "; " + passed_over_text(all.account.passed_over);
  throw InputError(message + notes);
}

std::string account_text(const DatasetSummary& summary, const std::filesystem::path& directory) {
  std::string text = "read " + counted(summary.rows, "row");
  if (summary.account.entries > 0)
    text +=
        fmt::format(" of {} {}", summary.account.entries, entries_word(summary.account.entries));
  text += fmt::format(", rejected {}", total_of(summary.rejected));
  if (!summary.rejected.empty()) {
    text += ": " + kinds_text(summary.rejected);
    text += summary.written.files.empty()
                ? "; the first is " + summary.first_problem
                : "; see " + rejects_path(directory, summary.name).string();
  }
  if (!summary.account.passed_over.empty())
    text += "\n  " + passed_over_text(summary.account.passed_over);
  for (const std::string& note : summary.account.notes) text += "\n  " + note;
  return text;
}

void add_notes(const LeftOut& left_out, SourceAccount& account) {
  for (const auto& [kind, count] : left_out) {
    std::string name = kind;
    if (count == 1) name.erase(name.find("s "), 1);
    account.notes.push_back(fmt::format("{} {} left out", count, name));
  }
}

std::filesystem::path rejects_path(const std::filesystem::path& directory,
                                   const std::string& name) {
  return directory / (name + "-rejects.jsonl");
}

std::string kinds_text(const std::map<std::string, int64_t>& counts) {
  std::string text;
  for (const auto& [kind, count] : counts)
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, kind);
  return text;
}

int64_t total_of(const std::map<std::string, int64_t>& counts) {
  int64_t total = 0;
  for (const auto& [kind, count] : counts) total += count;
  return total;
}

}  // namespace lynceus::prepare
