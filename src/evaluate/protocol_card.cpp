#include "evaluate/protocol_card.h"

#include <cmath>
#include <utility>

#include "core/error.h"
#include "core/version.h"
#include "io/files/digest.h"
#include "io/files/file.h"
#include "io/files/json.h"

namespace lynceus::evaluate {
namespace {

using io::JsonValue;

constexpr const char* kOriginKeys[] = {"prompt_template", "decoding", "weights", "checkpoint"};
constexpr const char* kUnknown = "unknown";

JsonValue copy_of(const io::Json& value) {
  if (value.is_boolean()) return value.boolean();
  if (value.is_string()) return value.string();
  if (value.is_number()) {
    const double number = value.number();
    const auto whole = static_cast<int64_t>(std::abs(number) < 9e15 ? number : 0.5);
    return static_cast<double>(whole) == number ? JsonValue(whole) : JsonValue(number);
  }
  JsonValue copy;
  if (value.is_array()) {
    copy = JsonValue::array();
    for (const io::Json& element : value.elements()) copy.push_back(copy_of(element));
  } else if (value.is_object()) {
    copy = JsonValue::object();
    for (const auto& [key, member] : value.members()) copy.set(key, copy_of(member));
  }
  return copy;
}

std::filesystem::path origin_file(const std::filesystem::path& answers) {
  if (std::filesystem::is_directory(answers)) return answers / "card.json";
  return answers.string() + ".card.json";
}

/// What is known of the origin of the answers.
JsonValue origin_of(const AnswersFile& answers) {
  JsonValue origin = JsonValue::object();
  for (const char* key : kOriginKeys) origin.set(key, kUnknown);
  const std::filesystem::path path = origin_file(answers.path);
  if (!io::file_exists(path)) return origin;
  for (const auto& [key, member] : io::Json::read(path).members()) {
    if (key == "answers_digest" && member.string() != answers.digest)
      throw InputError("{}: expected the digest of {}, {}, found {}", member.where(),
                       answers.path.string(), answers.digest, member.string());
    if (key != "answers_digest" && !member.is_null()) origin.set(key, copy_of(member));
  }
  return origin;
}

}  // namespace

AnswersFile digest_answers(const std::filesystem::path& path, std::span<const std::string> files) {
  if (files.empty()) return {path, io::digest_file(path).hex()};
  std::string list;
  for (const std::string& name : files)
    list += name + " " + io::digest_file(path / name).hex() + "\n";
  return {path, io::digest128(list.data(), list.size()).hex()};
}

JsonValue ProtocolCard::to_json() const {
  JsonValue card = JsonValue::object();
  JsonValue list = JsonValue::array();
  if (answers.size() == 1) {
    card = origin_of(answers[0]);
  } else {
    for (const char* key : kOriginKeys) card.set(key, JsonValue::array());
    for (const AnswersFile& file : answers) {
      for (const JsonValue::Member& member : origin_of(file).members()) {
        JsonValue values = card.contains(member.key) ? card.at(member.key) : JsonValue::array();
        values.push_back(member.value);
        card.set(member.key, values);
      }
    }
  }
  for (const AnswersFile& file : answers)
    list.push_back(JsonValue::object({{"path", file.path.string()}, {"digest", file.digest}}));
  card.set("parse_rule",
           JsonValue::object({{"name", rule.name}, {"text", rule.text}, {"source", rule.source}}));
  card.set("judge", judge.empty() ? JsonValue() : JsonValue(judge));
  card.set("answers", list);
  card.set("software", software_version());
  return card;
}

}  // namespace lynceus::evaluate
