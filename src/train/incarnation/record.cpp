#include "train/incarnation/record.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/text/utc.h"
#include "io/files/file.h"
#include "io/files/json.h"
#include "io/files/lines.h"

namespace lynceus::train {
namespace {

namespace fs = std::filesystem;
using io::Json;
using io::JsonValue;

double rounded(double seconds) { return std::round(1000 * seconds) / 1000; }

struct AccountPart {
  const char* key;
  double TimeAccount::*seconds;
};
constexpr AccountPart kParts[] = {{"total", &TimeAccount::total},
                                  {"start", &TimeAccount::start},
                                  {"load", &TimeAccount::load},
                                  {"step", &TimeAccount::step},
                                  {"save", &TimeAccount::save},
                                  {"lost", &TimeAccount::lost},
                                  {"validation", &TimeAccount::validation},
                                  {"waiting", &TimeAccount::waiting}};

/// On a line of its own, also after one that a crash has cut off.
void append_line(const fs::path& run_directory, const JsonValue& value) {
  io::File file = io::File::open_appending(run_directory / kIncarnationsName);
  std::string text = value.dump_replacing() + "\n";
  char last = '\n';
  if (file.size() > 0) {
    const io::File earlier = io::File::open_regular(file.path());
    earlier.read_at(earlier.size() - 1, &last, 1);
  }
  if (last != '\n') text = "\n" + text;
  file.append(text.data(), text.size());
  file.sync();
  file.close();
  io::sync_directory(run_directory);
}

double time_at(const Json& line, const char* key) {
  return parse_utc(line.at(key).string()).value_or(0);
}

Incarnation parse_begin(const Json& line) {
  Incarnation found;
  found.begin = time_at(line, "begin");
  found.token = line.at("token").string();
  for (const Json& node : line.at("nodes").elements()) found.nodes.push_back(node.string());
  found.ranks = line.at("ranks").integer();
  found.steps = line.at("steps").integer();
  found.job = line.at("job").string();
  found.restart_count = line.at("restart_count").integer();
  if (const auto end = line.find("job_end"); end && !end->is_null())
    found.job_end = parse_utc(end->string()).value_or(0);
  found.committed_step = line.at("committed_step").integer();
  found.restart_anyway = line.at("restart_anyway").boolean();
  return found;
}

IncarnationEnd parse_end(const Json& line) {
  IncarnationEnd found;
  found.end = time_at(line, "end");
  found.killed = line.at("killed").boolean();
  if (const Json code = line.at("exit_code"); !code.is_null()) found.exit_code = code.integer();
  found.cause = line.at("cause").string();
  found.by_request = line.at("by_request").boolean();
  found.last_step = line.at("last_step").integer();
  found.committed_step = line.at("committed_step").integer();
  found.largest_step = line.at("largest_step").number();
  found.largest_save = line.at("largest_save").number();
  const Json seconds = line.at("seconds");
  for (const AccountPart& part : kParts)
    found.seconds.*part.seconds = seconds.at(part.key).number();
  for (const Json& failure : line.at("failures").elements())
    found.failures.push_back(
        {failure.at("rank").integer(), failure.at("node").string(), failure.at("cause").string()});
  return found;
}

void take_line(const Json& line, std::vector<Incarnation>* found) {
  const std::string event = line.at("event").string();
  if (event == "begin") {
    found->push_back(parse_begin(line));
    return;
  }
  if (found->empty() || found->back().token != line.at("token").string()) return;
  if (event == "resumed") {
    found->back().first_step = line.at("first_step").integer();
    found->back().start_seconds = line.at("start_seconds").number();
    found->back().load_seconds = line.at("load_seconds").number();
  } else if (event == "end") {
    found->back().ended = parse_end(line);
  }
}

}  // namespace

double TimeAccount::other() const {
  return std::max(0.0, total - start - load - step - save - lost - validation - waiting);
}

double TimeAccount::goodput() const { return total > 0 ? std::min(1.0, step / total) : 0; }

TimeAccount& TimeAccount::operator+=(const TimeAccount& account) {
  for (const AccountPart& part : kParts) this->*part.seconds += account.*part.seconds;
  return *this;
}

JsonValue to_json(const TimeAccount& seconds) {
  JsonValue json = JsonValue::object();
  for (const AccountPart& part : kParts) json.set(part.key, rounded(seconds.*part.seconds));
  return json;
}

bool Incarnation::made_progress() const {
  return ended && first_step && ended->committed_step > *first_step;
}

std::vector<Incarnation> read_incarnations(const fs::path& run_directory) {
  std::vector<Incarnation> found;
  const fs::path path = run_directory / kIncarnationsName;
  if (!io::file_exists(path) || fs::file_size(path) == 0) return found;
  io::JsonLines lines(path);
  while (true) {
    try {
      const std::optional<Json> line = lines.next();
      if (!line) return found;
      take_line(*line, &found);
    } catch (const InputError&) {  // cut off by a crash
    }
  }
}

EarlierStarts earlier_starts_of_job(const std::vector<Incarnation>& incarnations,
                                    const io::LeaseOwner& owner) {
  EarlierStarts found;
  if (owner.job.empty() || (owner.restart_count == 0 && owner.start_count == 0)) return found;
  for (const Incarnation& incarnation : incarnations) {
    if (incarnation.job != owner.job) continue;
    found.began = true;
    found.continued = found.continued || incarnation.first_step.has_value();
  }
  return found;
}

void append_begin(const fs::path& run_directory, const Incarnation& incarnation) {
  JsonValue nodes = JsonValue::array();
  for (const std::string& node : incarnation.nodes) nodes.push_back(node);
  const JsonValue job_end =
      incarnation.job_end > 0 ? JsonValue(utc_text(incarnation.job_end)) : JsonValue();
  append_line(run_directory, JsonValue::object({{"event", "begin"},
                                                {"token", incarnation.token},
                                                {"begin", utc_text(incarnation.begin)},
                                                {"nodes", nodes},
                                                {"ranks", incarnation.ranks},
                                                {"steps", incarnation.steps},
                                                {"job", incarnation.job},
                                                {"restart_count", incarnation.restart_count},
                                                {"job_end", job_end},
                                                {"committed_step", incarnation.committed_step},
                                                {"restart_anyway", incarnation.restart_anyway}}));
}

void append_resumed(const fs::path& run_directory, const Incarnation& incarnation) {
  append_line(run_directory,
              JsonValue::object({{"event", "resumed"},
                                 {"token", incarnation.token},
                                 {"first_step", incarnation.first_step.value_or(0)},
                                 {"start_seconds", rounded(incarnation.start_seconds)},
                                 {"load_seconds", rounded(incarnation.load_seconds)}}));
}

void append_end(const fs::path& run_directory, const std::string& token,
                const IncarnationEnd& end) {
  JsonValue failures = JsonValue::array();
  for (const RankFailure& failure : end.failures)
    failures.push_back(JsonValue::object(
        {{"rank", failure.rank}, {"node", failure.node}, {"cause", failure.cause}}));
  append_line(
      run_directory,
      JsonValue::object({{"event", "end"},
                         {"token", token},
                         {"end", utc_text(end.end)},
                         {"killed", end.killed},
                         {"exit_code", end.exit_code < 0 ? JsonValue() : JsonValue(end.exit_code)},
                         {"cause", end.cause},
                         {"by_request", end.by_request},
                         {"last_step", end.last_step},
                         {"committed_step", end.committed_step},
                         {"largest_step", rounded(end.largest_step)},
                         {"largest_save", rounded(end.largest_save)},
                         {"seconds", to_json(end.seconds)},
                         {"failures", failures}}));
}

}  // namespace lynceus::train
