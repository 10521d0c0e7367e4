#include "prepare/journal.h"

#include <charconv>
#include <chrono>
#include <ctime>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "core/error.h"
#include "io/dataset/shard_sidecar.h"
#include "io/files/json.h"
#include "io/files/json_value.h"
#include "prepare/account.h"

namespace lynceus::prepare {
namespace {

namespace fs = std::filesystem;
using io::JsonValue;

constexpr const char* kFormat = "lynceus-prepare-journal 1";

/// Differs for any other shard of the same name.
std::string identity_of(const fs::path& shard) {
  return io::ShardSidecar::read(shard).outside.hex();
}

/// UsageError for a shard that is missing or another one, InputError for a damaged one.
void check_shard(const fs::path& shard, const std::string& identity) {
  if (!io::file_exists(shard)) throw UsageError("{} is missing", shard.string());
  const io::ShardSidecar sidecar = io::ShardSidecar::read(shard);
  if (sidecar.outside.hex() != identity)
    throw UsageError("{} is another shard than the one that was prepared", shard.string());
  sidecar.check(io::File::open(shard));
}

/// Lists only the shards after the first `shards`.
JsonValue to_json(const PrepareState& state, size_t shards) {
  JsonValue list = JsonValue::array();
  for (size_t i = shards; i < state.series.files.size(); ++i)
    list.push_back(JsonValue::array(
        {state.series.files[i].filename().string(), identity_of(state.series.files[i])}));
  return JsonValue::object({{"rows", state.rows},
                            {"row_samples", state.row_samples},
                            {"samples", state.series.samples},
                            {"media", state.series.media},
                            {"stored_media", state.series.stored_media},
                            {"media_bytes", state.series.media_bytes},
                            {"rejects_bytes", state.rejects_bytes},
                            {"rejected", state.rejected},
                            {"left_out", state.left_out},
                            {"is_done", state.is_done},
                            {"account", prepare::to_json(state.account)},
                            {"shards", list}});
}

/// The state of a journal line, after `before`. Errors of check_shard().
PrepareState parse_state(const io::Json& json, PrepareState before, const fs::path& directory) {
  PrepareState state = std::move(before);
  state.rows = json.at("rows").integer(0);
  state.row_samples = json.at("row_samples").integer(0);
  state.series.samples = json.at("samples").integer(0);
  state.series.media = json.at("media").integer(0);
  const std::optional<io::Json> stored = json.find("stored_media");  // old journals: none
  state.series.stored_media = stored ? stored->integer(0) : state.series.media;
  state.series.media_bytes = static_cast<uint64_t>(json.at("media_bytes").integer(0));
  state.rejects_bytes = static_cast<uint64_t>(json.at("rejects_bytes").integer(0));
  state.rejected = counts_of(json.at("rejected"));
  if (const auto left_out = json.find("left_out")) state.left_out = counts_of(*left_out);
  state.is_done = json.at("is_done").boolean();
  if (const auto account = json.find("account")) state.account = account_of(*account);
  for (const io::Json& shard : json.at("shards").elements()) {
    const fs::path path = directory / fs::path(shard.at(0).string()).filename();
    check_shard(path, shard.at(1).string());
    state.series.files.push_back(path);
  }
  return state;
}

/// The lines of a journal up to the first that is torn or names a shard that is not as it was.
FinishedDataset read_journal(const fs::path& path, const fs::path& directory) {
  FinishedDataset found;
  PrepareState& state = found.state;
  const std::string text = io::read_text(path);
  try {
    for (size_t end; (end = text.find('\n', state.journal_bytes)) != std::string::npos;) {
      const std::string_view line(text.data() + state.journal_bytes, end - state.journal_bytes);
      const io::Json json = io::Json::parse(line, path.string());
      if (state.journal_bytes == 0) {
        if (json.at("format").string() != kFormat)
          throw InputError("{}: expected {}, found another format", path.string(), kFormat);
        found.command = json.at("command").string();
      } else {
        state = parse_state(json, state, directory);
      }
      state.journal_bytes = end + 1;
    }
  } catch (const Error& error) {  // the state before that line is used
    if (error.code() == ExitCode::kIo) throw;
    found.fault = {error.code(), error.what()};
  }
  return found;
}

std::string head_of(const std::string& command) {
  return JsonValue::object({{"format", kFormat}, {"command", command}}).dump_replacing() + "\n";
}

void remove_file(const fs::path& path) {
  std::error_code error;
  fs::remove(path, error);
  if (error) throw IoError("cannot remove {}: {}", path.string(), error.message());
}

fs::path finished_path(const fs::path& directory, const std::string& name) {
  return directory / (name + ".finished");
}

}  // namespace

std::string readable_command(const std::string& command) {
  constexpr std::string_view kChanged = "changed at ";
  const size_t begin = command.find(kChanged);
  if (begin == std::string::npos) return command;
  int64_t count = 0;
  const char* const number = command.data() + begin + kChanged.size();
  const auto [end, error] = std::from_chars(number, command.data() + command.size(), count);
  if (error != std::errc()) return command;
  const fs::file_time_type time{fs::file_time_type::duration(count)};
  const auto since_1970 = std::chrono::file_clock::to_sys(time).time_since_epoch();
  const std::time_t seconds = std::chrono::floor<std::chrono::seconds>(since_1970).count();
  const auto rest = since_1970 - std::chrono::seconds(seconds);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
  return fmt::format("{}{}.{:03} UTC{}", command.substr(0, begin + kChanged.size()), text,
                     std::chrono::duration_cast<std::chrono::milliseconds>(rest).count(),
                     command.substr(static_cast<size_t>(end - command.data())));
}

fs::path PrepareJournal::path_of(const fs::path& directory, const std::string& name) {
  return directory / (name + ".unfinished");
}

std::optional<PrepareState> PrepareJournal::find(const fs::path& directory, const std::string& name,
                                                 const std::string& command) {
  const fs::path path = path_of(directory, name);
  if (!io::file_exists(path)) return std::nullopt;
  FinishedDataset found = read_journal(path, directory);
  if (found.state.journal_bytes > 0 && found.command != command)
    throw UsageError(
        "{} belongs to an unfinished run of another command, or the input has changed since; "
        "--overwrite starts again; that run was: {}",
        path.string(), readable_command(found.command));
  return found.state;
}

std::optional<FinishedDataset> PrepareJournal::find_finished(const fs::path& directory,
                                                             const std::string& name,
                                                             DatasetFault* fault) {
  const fs::path path = finished_path(directory, name);
  if (!io::file_exists(path)) return std::nullopt;
  FinishedDataset found = read_journal(path, directory);
  if (fault != nullptr) *fault = found.fault;
  if (!found.state.is_done) return std::nullopt;
  found.state.journal_bytes = 0;  // it is no journal to continue
  return found;
}

void PrepareJournal::write_finished(const fs::path& directory, const std::string& name,
                                    const FinishedDataset& dataset) {
  io::atomic_write_text(
      finished_path(directory, name),
      head_of(dataset.command) + to_json(dataset.state, 0).dump_replacing() + "\n");
}

void PrepareJournal::remove_finished(const fs::path& directory, const std::string& name) {
  remove_file(finished_path(directory, name));
}

PrepareJournal::PrepareJournal(const fs::path& directory, const std::string& name,
                               const std::string& command, const PrepareState& state)
    : directory_(directory),
      name_(name),
      path_(path_of(directory, name)),
      shards_(state.journal_bytes == 0 ? 0 : state.series.files.size()) {
  if (state.journal_bytes == 0) {
    io::atomic_write_text(path_, head_of(command));
  } else {
    io::truncate_file(path_, state.journal_bytes);
  }
  file_ = io::File::open_appending(path_);
}

void PrepareJournal::append(const PrepareState& state) {
  const std::string line = to_json(state, shards_).dump_replacing() + "\n";
  file_.append(line.data(), line.size());
  file_.sync();
  shards_ = state.series.files.size();
}

void PrepareJournal::finish(const FinishedDataset& dataset) {
  write_finished(directory_, name_, dataset);
  remove_file(path_);
}

}  // namespace lynceus::prepare
