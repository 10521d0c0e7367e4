// See source.h.
#include "prepare/source.h"

#include <algorithm>
#include <utility>

#include "io/files/file.h"
#include "io/media/image.h"

namespace lynceus::prepare {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxChecked = 1 << 20;  // names kept of pictures already looked at

io::TurnRole role_of(const io::Json& from) {
  const std::string name = from.string();
  for (const char* user : {"human", "user"}) {
    if (name == user) return io::TurnRole::kUser;
  }
  for (const char* assistant : {"gpt", "assistant", "chatgpt", "bing", "bard", "model"}) {
    if (name == assistant) return io::TurnRole::kAssistant;
  }
  if (name == "system") return io::TurnRole::kSystem;
  throw InputError("{}: expected human, user, gpt, assistant or system, found '{}'", from.where(),
                   name.substr(0, 100));
}

}  // namespace

SourceRow make_row(const std::function<std::vector<io::Sample>()>& make) {
  SourceRow row;
  try {
    row.samples = make();
  } catch (const RejectedRow& error) {
    row.reject = error.kind();
    row.problem = error.what();
  } catch (const InputError& error) {
    row.reject = "malformed row";
    row.problem = error.what();
  }
  return row;
}

PictureReader::PictureReader(fs::path root, PictureCheck check)
    : root_(std::move(root)), check_(check) {
  if (root_.empty()) root_ = ".";
  if (!fs::is_directory(root_)) {
    throw IoError("--root {}: expected a folder, found none", root_.string());
  }
}

std::string PictureReader::read(const std::string& path, const std::string& where) {
  const fs::path relative = path_below(path, where);
  std::string encoded;
  try {
    encoded = io::read_text(root_ / relative, kMaxPictureBytes);
  } catch (const IoError& error) {
    throw RejectedRow("missing picture", "{}: {}", where, error.what());
  } catch (const InputError& error) {
    throw RejectedRow("picture too large", "{}: {}", where, error.what());
  }
  const std::string name = relative.string();
  if (!checked_.contains(name)) {
    check_picture(encoded, fmt::format("{}: {}", where, name), check_);
    if (checked_.size() >= kMaxChecked) checked_.clear();
    checked_.insert(name);
  }
  return encoded;
}

void check_picture(std::string_view encoded, const std::string& name, PictureCheck check) {
  try {
    if (check == PictureCheck::kDecode) {
      io::decode_image(encoded, name);
    } else {
      io::check_image_header(encoded, name);
    }
  } catch (const InputError& error) {
    throw RejectedRow("damaged picture", "{}", error.what());
  }
}

fs::path path_below(const std::string& path, const std::string& where) {
  const fs::path relative = fs::path(path).lexically_normal();
  if (relative.empty() || relative.is_absolute() || *relative.begin() == ".." ||
      path.find('\0') != std::string::npos) {
    throw RejectedRow("path outside the root", "{}: expected a path below the root, found {}",
                      where, path.substr(0, 200));
  }
  return relative;
}

std::string trimmed(const std::string& text) {
  constexpr const char* kSpace = " \t\r\n";
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

std::string text_of(const io::Json& value) {
  std::string text = trimmed(value.string());
  if (text.empty()) {
    throw RejectedRow("empty text", "{}: expected a text, found an empty one", value.where());
  }
  return text;
}

std::vector<std::string> texts_of(const io::Json& value) {
  if (!value.is_array()) return {text_of(value)};
  std::vector<std::string> texts;
  for (const io::Json& element : value.elements()) texts.push_back(text_of(element));
  if (texts.empty()) {
    throw RejectedRow("empty text", "{}: expected a text at least, found an empty list",
                      value.where());
  }
  return texts;
}

std::string id_of(const io::Json& value) {
  if (value.is_string()) return value.string();
  return std::to_string(value.integer());
}

std::string keys_of(const io::Json& row) {
  std::string keys;
  for (const auto& [key, value] : row.members()) keys += (keys.empty() ? "" : ", ") + key;
  return keys.empty() ? "none" : keys.substr(0, 400);
}

std::vector<io::Sample> one_sample_an_answer(const io::Sample& sample,
                                             const std::vector<std::string>& answers) {
  std::vector<io::Sample> samples(answers.size(), sample);
  for (size_t i = 0; i < answers.size(); ++i) {
    samples[i].turns.push_back({io::TurnRole::kAssistant, answers[i]});
    if (answers.size() > 1) samples[i].key += fmt::format("#{}", i + 1);
  }
  return samples;
}

std::vector<io::Turn> turns_of(const io::Json& conversation) {
  std::vector<io::Turn> turns;
  for (const io::Json& turn : conversation.elements())
    turns.push_back({role_of(turn.at("from")), turn.at("value").string()});
  return turns;
}

std::vector<io::Turn> settled_turns(std::vector<io::Turn> turns, const std::string& where) {
  std::vector<io::Turn> settled;
  const auto bad = [&](const char* found) {
    return RejectedRow("broken conversation", "{}: expected user and assistant in turn, found {}",
                       where, found);
  };
  for (io::Turn& turn : turns) {
    turn.text = trimmed(turn.text);
    if (turn.text.empty())
      throw RejectedRow("empty text", "{}: expected a text in every turn, found an empty one",
                        where);
    const bool begins = settled.empty() || settled.back().role == io::TurnRole::kSystem;
    if (turn.role == io::TurnRole::kSystem) {
      if (!settled.empty()) throw bad("a system turn behind the first");
    } else if (begins) {
      if (turn.role == io::TurnRole::kAssistant) continue;  // nobody asked
    } else if (turn.role == settled.back().role) {
      throw bad("two turns of one speaker");
    }
    settled.push_back(std::move(turn));
  }
  if (!settled.empty() && settled.back().role == io::TurnRole::kUser) settled.pop_back();
  if (settled.empty() || settled.back().role != io::TurnRole::kAssistant)
    throw bad("no question with its answer");
  return settled;
}

}  // namespace lynceus::prepare
