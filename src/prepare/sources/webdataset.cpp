#include "prepare/sources/webdataset.h"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <optional>
#include <utility>

#include "io/files/lines.h"
#include "prepare/row_text.h"

namespace lynceus::prepare {
namespace {

constexpr uint64_t kMaxTextBytes = io::Lines::kMaxBytes;

enum class Content { kImage, kText, kJson, kOther };

struct EntryName {
  std::string key;
  Content content = Content::kOther;
};

EntryName parse_name(const std::string& name) {
  const size_t slash = name.rfind('/');
  const size_t dot = name.find('.', slash == std::string::npos ? 0 : slash + 1);
  EntryName parsed{name.substr(0, dot)};
  std::string extension = dot == std::string::npos ? "" : name.substr(dot + 1);
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  constexpr const char* kImages[] = {"jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff"};
  if (std::find(std::begin(kImages), std::end(kImages), extension) != std::end(kImages))
    parsed.content = Content::kImage;
  if (extension == "txt") parsed.content = Content::kText;
  if (extension == "json") parsed.content = Content::kJson;
  return parsed;
}

/// The entries of one key, and why the first unusable one was refused.
struct Group {
  std::string key;
  std::optional<std::string> image, text, json;
  std::optional<RejectedRow> fault;
};

/// Checks by the JSON parser that the text is UTF-8.
std::string checked_text(const std::string& text, const std::string& where) {
  io::JsonLimits limits;
  limits.max_bytes = 8 * kMaxTextBytes;  // escapes make text longer
  return text_of(io::Json::parse(io::json_quoted(text), where, limits));
}

void add_entry(io::TarReader& tar, Content content, const std::string& where, Group& group) {
  const bool is_image = content == Content::kImage;
  const uint64_t most = is_image ? kMaxImageBytes : kMaxTextBytes;
  auto& place = is_image ? group.image : content == Content::kText ? group.text : group.json;
  path_below(tar.name(), where);
  if (place)
    throw RejectedRow("two entries of a kind",
                      "{}: expected one entry of this kind per key, found two", where);
  if (tar.size() > most)
    throw RejectedRow(is_image ? "picture too large" : "text too large",
                      "{}: expected at most {} bytes, found {}", where, most, tar.size());
  place = tar.read();
}

std::vector<io::Sample> samples_of(Group& group, const WebdatasetOptions& options,
                                   const std::string& where) {
  if (group.fault) throw RejectedRow(*group.fault);
  if (!group.image) throw RejectedRow("no picture", "{}: expected an image, found none", where);
  io::Sample sample;
  sample.key = group.key;
  std::vector<std::string> answers;
  if (group.text) {
    answers = {checked_text(*group.text, where + ".txt")};
  } else if (group.json) {
    io::JsonLimits limits;
    limits.max_bytes = kMaxTextBytes;
    limits.refuse_duplicate_keys = false;
    const io::Json json = io::Json::parse(*group.json, where + ".json", limits);
    const auto captions = json.find(json.find("captions") ? "captions" : "caption");
    if (captions) {
      answers = texts_of(*captions);
      if (options.first_caption_only) answers.resize(1);
    } else {
      sample.turns.push_back({io::TurnRole::kUser, text_of(json.at("question"))});
      answers = {texts_of(json.at("answer"))[0]};
    }
  } else {
    throw RejectedRow("no text", "{}: expected .txt or .json, found neither", where);
  }
  check_image(*group.image, where, options.check);
  sample.media.push_back(std::move(*group.image));
  return one_sample_per_answer(sample, answers);
}

int64_t kibibytes(uint64_t bytes) { return static_cast<int64_t>(bytes >> 10); }

}  // namespace

WebdatasetSource::WebdatasetSource(WebdatasetOptions options) : options_(std::move(options)) {
  io::TarReader(options_.file, options_.limits);
}

SourceExtent WebdatasetSource::extent() const {
  return {kibibytes(io::File::open(options_.file).size()), "KiB", 0};
}

void WebdatasetSource::read(int64_t skip, const RowSink& sink) {
  io::TarReader tar(options_.file, options_.limits);
  std::optional<Group> group;
  const std::string file = options_.file.string();
  const auto pass_on = [&] {
    if (!group || skip-- > 0) return;
    const std::string where = fmt::format("{}: {}", file, group->key.substr(0, 200));
    SourceRow row = make_row([&] { return samples_of(*group, options_, where); });
    row.done = kibibytes(tar.position());
    sink(std::move(row));
  };
  while (tar.next()) {
    const EntryName name = parse_name(tar.name());
    if (name.content == Content::kOther) continue;
    if (!group || group->key != name.key) {
      pass_on();
      group = Group{name.key, {}, {}, {}, {}};
    }
    if (skip > 0) continue;
    try {
      add_entry(tar, name.content, fmt::format("{}: {}", file, tar.name().substr(0, 200)), *group);
    } catch (const RejectedRow& error) {
      if (!group->fault) group->fault = error;
    }
  }
  pass_on();
}

}  // namespace lynceus::prepare
