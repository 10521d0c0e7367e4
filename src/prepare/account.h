// The account of a run of `lynceus prepare`: what each dataset got from its input, and why rows of
// the input are missing in it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "io/dataset/shard_series.h"
#include "io/files/json.h"
#include "io/files/json_value.h"
#include "parallel/communicator.h"
#include "prepare/rows/source.h"

namespace lynceus::prepare {

/// The summary of one dataset.
struct DatasetSummary {
  std::string name;
  std::string input;  ///< file
  io::ShardSeriesState written;
  int64_t rows = 0;                              ///< read
  std::map<std::string, int64_t> rejected = {};  ///< number of rows by kind
  std::string first_problem = {};                ///< of the rejected rows
  SourceAccount account = {};
};

io::JsonValue to_json(const SourceAccount& account);
SourceAccount account_of(const io::Json& json);
std::map<std::string, int64_t> counts_of(const io::Json& json);

/// Collective: summary i is that of rank i mod size. Returns all of them, in order, on every rank.
/// Of the files only their number is exchanged.
std::vector<DatasetSummary> gather_summaries(const std::vector<DatasetSummary>& mine, size_t count,
                                             parallel::Communicator& world);

/// InputError with the first reason and the number of rows by kind if no dataset has a sample. One
/// empty input among others is no error. `directory` has the lists of rejected rows; empty: there
/// are none.
void check_any_sample(const std::vector<DatasetSummary>& summaries,
                      const std::filesystem::path& directory);

/// "read 5 rows of 12 entries, rejected 1: 1 no text; see NAME-rejects.jsonl", and lines with the
/// entries passed over and the notes. Lines after the first are indented by two spaces.
std::string account_text(const DatasetSummary& summary, const std::filesystem::path& directory);

/// Adds "12 turns without a partner left out" and so on.
void add_notes(const LeftOut& left_out, SourceAccount& account);

/// DIR/NAME-rejects.jsonl
std::filesystem::path rejects_path(const std::filesystem::path& directory, const std::string& name);

/// "2 missing picture, 1 empty text"
std::string kinds_text(const std::map<std::string, int64_t>& counts);

int64_t total_of(const std::map<std::string, int64_t>& counts);

}  // namespace lynceus::prepare
