#include "prepare/journal.h"

#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "core/error.h"
#include "io/dataset/shard_sidecar.h"
#include "io/files/json.h"

namespace lynceus::prepare {
namespace {

namespace fs = std::filesystem;
using Ordered = nlohmann::ordered_json;

constexpr const char* kFormat = "lynceus-prepare-journal 1";

/// Differs for any other shard of the same name.
std::string identity_of(const fs::path& shard) {
  return io::ShardSidecar::read(shard).outside.hex();
}

/// Lists only the shards after the first `shards`.
Ordered to_json(const PrepareState& state, size_t shards) {
  Ordered list = Ordered::array();
  for (size_t i = shards; i < state.series.files.size(); ++i)
    list.push_back({state.series.files[i].filename().string(), identity_of(state.series.files[i])});
  return {{"rows", state.rows},
          {"row_samples", state.row_samples},
          {"samples", state.series.samples},
          {"media", state.series.media},
          {"media_bytes", state.series.media_bytes},
          {"rejects_bytes", state.rejects_bytes},
          {"rejected", state.rejected},
          {"is_done", state.is_done},
          {"shards", list}};
}

/// The state of a journal line, after `before`. InputError for a shard that is missing or replaced.
PrepareState parse_state(const io::Json& json, PrepareState before, const fs::path& directory) {
  PrepareState state = std::move(before);
  state.rows = json.at("rows").integer(0);
  state.row_samples = json.at("row_samples").integer(0);
  state.series.samples = json.at("samples").integer(0);
  state.series.media = json.at("media").integer(0);
  state.series.media_bytes = static_cast<uint64_t>(json.at("media_bytes").integer(0));
  state.rejects_bytes = static_cast<uint64_t>(json.at("rejects_bytes").integer(0));
  state.rejected.clear();
  for (const auto& [kind, count] : json.at("rejected").members())
    state.rejected[kind] = count.integer(0);
  state.is_done = json.at("is_done").boolean();
  for (const io::Json& shard : json.at("shards").elements()) {
    const fs::path path = directory / fs::path(shard.at(0).string()).filename();
    if (!io::file_exists(path) || identity_of(path) != shard.at(1).string())
      throw InputError("{}: expected the shard that the journal records, found another or none",
                       path.string());
    state.series.files.push_back(path);
  }
  return state;
}

}  // namespace

fs::path PrepareJournal::path_of(const fs::path& directory, const std::string& name) {
  return directory / (name + ".unfinished");
}

std::optional<PrepareState> PrepareJournal::find(const fs::path& directory, const std::string& name,
                                                 const std::string& command) {
  const fs::path path = path_of(directory, name);
  if (!io::file_exists(path)) return std::nullopt;
  PrepareState state;
  const std::string text = io::read_text(path);
  try {
    for (size_t end; (end = text.find('\n', state.journal_bytes)) != std::string::npos;) {
      const std::string_view line(text.data() + state.journal_bytes, end - state.journal_bytes);
      const io::Json json = io::Json::parse(line, path.string());
      if (state.journal_bytes == 0) {
        if (json.at("format").string() != kFormat)
          throw InputError("{}: expected {}, found another format", path.string(), kFormat);
        if (json.at("command").string() != command)
          throw UsageError(
              "{} belongs to an unfinished run of another command, or the input has changed since; "
              "--overwrite starts again; that run was: {}",
              path.string(), json.at("command").string());
      } else {
        state = parse_state(json, state, directory);
      }
      state.journal_bytes = end + 1;
    }
  } catch (const InputError&) {
    // A torn line, or a shard that is missing: the state before it is used.
  }
  return state;
}

PrepareJournal::PrepareJournal(const fs::path& directory, const std::string& name,
                               const std::string& command, const PrepareState& state)
    : path_(path_of(directory, name)), shards_(state.series.files.size()) {
  if (state.journal_bytes == 0) {
    const Ordered head = {{"format", kFormat}, {"command", command}};
    io::atomic_write_text(path_,
                          head.dump(-1, ' ', false, Ordered::error_handler_t::replace) + "\n");
  } else {
    io::truncate_file(path_, state.journal_bytes);
  }
  file_ = io::File::open_appending(path_);
}

void PrepareJournal::append(const PrepareState& state) {
  const std::string line = to_json(state, shards_).dump() + "\n";
  file_.append(line.data(), line.size());
  file_.sync();
  shards_ = state.series.files.size();
}

void PrepareJournal::finish() {
  std::error_code error;
  fs::remove(path_, error);
  if (error) throw IoError("cannot remove {}: {}", path_.string(), error.message());
}

}  // namespace lynceus::prepare
