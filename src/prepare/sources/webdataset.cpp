#include "prepare/sources/webdataset.h"

#include <functional>
#include <optional>
#include <unordered_set>
#include <utility>

#include "io/files/lines.h"
#include "prepare/rows/conversation.h"
#include "prepare/rows/file_ending.h"
#include "prepare/rows/json_stream.h"
#include "prepare/rows/media_names.h"
#include "prepare/rows/row_keys.h"
#include "prepare/rows/row_text.h"

namespace lynceus::prepare {
namespace {

constexpr uint64_t kMaxTextBytes = io::Lines::kMaxBytes;

struct EntryName {
  std::string key;
  FileContent content = FileContent::kOther;
  bool has_dots = false;  ///< the type has dots
  const char* kind = "";  ///< why it is passed over; empty: it belongs to a row
};

/// The rule of webdataset: ^((?:.*/|)[^.]+)[.]([^/]*)$
EntryName parse_name(const std::string& name) {
  const size_t slash = name.rfind('/');
  const std::string base = slash == std::string::npos ? name : name.substr(slash + 1);
  if (base.starts_with('.'))
    return {.key = "", .kind = base.starts_with("._") ? "AppleDouble file" : "hidden file"};
  const size_t dot = base.find('.');
  if (dot == std::string::npos) return {.key = "", .kind = "other type"};
  const std::string type = base.substr(dot + 1);
  EntryName parsed;
  parsed.key = name.substr(0, name.size() - type.size() - 1);
  parsed.has_dots = type.find('.') != std::string::npos;
  parsed.content = content_of_ending(type.substr(type.rfind('.') + 1));
  if (parsed.content == FileContent::kOther) parsed.kind = "other type";
  return parsed;
}

/// The entries of one key, and why the first unusable one was refused.
struct Group {
  std::string key;
  int archive = 0;  // number
  std::optional<std::string> image, text, json;
  std::optional<RejectedRow> fault;
  std::string not_read;   // ", found the link x.jpg"
  std::string with_dots;  // name of an entry
  int64_t entries = 0;
  int64_t dotted = 0;
  bool occurred_before = false;

  bool is_complete() const { return image && (text || json); }
};

/// `wanted`: otherwise the contents are not read.
void add_entry(io::TarReader& tar, FileContent content, bool wanted, const std::string& where,
               Group& group) {
  const bool is_image = content == FileContent::kImage;
  const uint64_t most = is_image ? kMaxImageBytes : kMaxTextBytes;
  auto& place = is_image ? group.image : content == FileContent::kText ? group.text : group.json;
  if (!wanted) {
    place = "";
    return;
  }
  path_below(tar.name(), where);
  if (place)
    throw RejectedRow("two entries of a kind",
                      "{}: expected one entry of this kind per key, found two", where);
  if (tar.size() > most)
    throw RejectedRow(is_image ? "picture too large" : "text too large",
                      "{}: expected at most {} bytes, found {}", where, most, tar.size());
  place = tar.read();
}

constexpr const char* kApart =
    "; if it is elsewhere in the archive, write the archive with tar --sort=name";

[[noreturn]] void throw_incomplete(const Group& group, const std::string& where) {
  if (!group.with_dots.empty())
    throw RejectedRow("name with dots",
                      "{}: expected names such as KEY.jpg and KEY.txt, found {}: a key ends at the "
                      "first dot",
                      where, group.with_dots);
  if (group.occurred_before)
    throw RejectedRow(
        "key in several places",
        "{}: expected all entries of this key next to each other, found others before; "
        "write the archive with tar --sort=name",
        where);
  if (!group.image)
    throw RejectedRow("no picture", "{}: expected an image, found none{}{}", where, group.not_read,
                      kApart);
  throw RejectedRow("no text", "{}: expected .txt or .json, found neither{}{}", where,
                    group.not_read, kApart);
}

io::Json parse_json(const std::string& text, const std::string& where) {
  io::JsonLimits limits;
  limits.max_bytes = kMaxTextBytes;
  limits.refuse_duplicate_keys = false;
  return io::Json::parse(text, where, limits);
}

/// Refuses content that is not under the keys `read`, except `text` once more and names of the
/// picture.
void refuse_unread_besides(const io::Json& json, std::vector<std::string_view> read,
                           const std::string& text) {
  for (const std::string_view key : json.keys()) {
    const io::Json value = json.at(key);
    if (value.is_string() && trimmed(value.string()) == text) read.push_back(key);
  }
  refuse_unread_content(json, read);
  for (const std::string_view key : json.keys()) {
    const bool is_image = medium_of_key(key).medium == Medium::kImage ||
                          medium_of_file(json.at(key)) == Medium::kImage;
    if (is_image || key == "url") read.push_back(key);
  }
  refuse_unread_media(json, read);
}

/// The key with what is learned: captions, caption or question.
std::string learned_in(const io::Json& json) {
  for (const char* key : {"captions", "caption", "question"})
    if (content_of(json, key)) return key;
  for (const char* key : {"captions", "caption"})
    if (const auto empty = json.find(key); empty && !empty->is_null()) return key;
  return "question";
}

/// The captions or answers of a .json; adds the question to the sample.
std::vector<std::string> read_json(const io::Json& json, bool first_caption_only,
                                   io::Sample& sample, LeftOut& omitted) {
  const std::string learned = learned_in(json);
  std::vector<std::string_view> read = {learned};
  std::vector<std::string> answers;
  if (learned == "question") {
    read.emplace_back("answer");
    sample.turns.push_back({io::TurnRole::kUser, text_of(json.at("question"))});
    answers = first_text_of(json.at("answer"), kFurtherAnswers, omitted);
  } else if (first_caption_only) {
    answers = first_text_of(json.at(learned), kFurtherCaptions, omitted);
  } else {
    answers = texts_of(json.at(learned), kEmptyCaptions, omitted);
  }
  refuse_unread_besides(json, read, answers[0]);
  return answers;
}

/// A .json next to a .txt: its captions are left out, other content is refused. One that cannot be
/// parsed has metadata such as NaN.
LeftOut check_json_besides(const std::string& text, const std::string& caption,
                           const std::string& where) {
  std::optional<io::Json> json;
  const SourceRow parsed = make_row([&]() -> std::vector<io::Sample> {
    json = parse_json(text, where);
    return {};
  });
  if (!parsed.reject.empty()) return left_out("malformed .json files next to a .txt", 1);
  if (!json->is_object()) return {};
  refuse_unread_besides(*json, {"caption", "captions"}, caption);
  size_t others = 0;
  for (const char* key : {"caption", "captions"}) {
    const auto found = content_of(*json, key);
    if (!found) continue;
    for (const io::Json& one : found->is_array() ? found->elements() : std::vector{*found})
      if (has_content(one) && !(one.is_string() && trimmed(one.string()) == caption)) ++others;
  }
  return left_out("captions in a .json next to a .txt", others);
}

RowContent content_of_group(Group& group, const WebdatasetOptions& options,
                            const std::string& where) {
  if (group.fault) throw RejectedRow(*group.fault);
  if (!group.is_complete()) throw_incomplete(group, where);
  io::Sample sample;
  sample.key = group.key;
  std::vector<std::string> answers;
  LeftOut omitted;
  if (group.text && group.json && is_blank_text(*group.text)) group.text.reset();
  if (group.text) {
    answers = {text_of_bytes(*group.text, where + ".txt")};
    if (group.json) omitted = check_json_besides(*group.json, answers[0], where + ".json");
  } else {
    answers = read_json(object_of(parse_json(*group.json, where + ".json")),
                        options.first_caption_only, sample, omitted);
  }
  const bool is_question = !sample.turns.empty();
  check_image(*group.image, where, options.check);
  sample.media.push_back(std::move(*group.image));
  std::vector<io::Sample> samples = one_sample_per_answer(sample, answers);
  for (io::Sample& one : samples) {
    take_placeholders(one.turns, {one.media.size(), false}, where);
    if (is_question) trim_turns(one.turns, where);
  }
  return {std::move(samples), std::move(omitted)};
}

int64_t kibibytes(uint64_t bytes) { return static_cast<int64_t>(bytes >> 10); }

/// Groups the entries of an archive to rows.
class Rows {
 public:
  Rows(const WebdatasetOptions& options, int64_t skip, const RowSink& sink)
      : options_(options), skip_(skip), sink_(sink), tar_(options.file, options.limits) {}

  SourceAccount read() {
    while (tar_.next()) {
      ++account_.entries;
      add();
    }
    pass_on();
    if (tar_.has_other_bytes()) add_other_bytes();
    if (!tar_.has_end_mark())
      account_.notes.push_back(
          fmt::format("{} has no end mark: check that nothing is missing at its end", file()));
    if (tar_.archive_number() > 1 && !tar_.has_other_bytes())
      account_.notes.push_back(fmt::format("{} consists of {} archives, one after another", file(),
                                           tar_.archive_number()));
    return account_;
  }

 private:
  std::string file() const { return options_.file.string(); }

  void pass_over(const char* kind) { ++account_.passed_over[kind]; }

  void add() {
    if (tar_.kind() == io::EntryKind::kFolder) return pass_over("folder");
    const EntryName name = parse_name(tar_.name());
    const bool is_file = tar_.kind() == io::EntryKind::kFile;
    const char* const other = tar_.kind() == io::EntryKind::kLink ? "link" : "device";
    if (*name.kind != '\0') return pass_over(is_file ? name.kind : other);
    begin_row(name.key);
    ++group_->entries;
    const std::string shown = tar_.name().substr(0, 200);
    if (!is_file) {
      if (group_->not_read.empty())
        group_->not_read = fmt::format("; the {} {} is not read", other, shown);
    } else if (name.has_dots) {
      ++group_->dotted;
      if (group_->with_dots.empty()) group_->with_dots = shown;
    } else {
      try {
        add_entry(tar_, name.content, skip_ <= 0, fmt::format("{}: {}", file(), shown), *group_);
      } catch (const RejectedRow& error) {
        if (!group_->fault) group_->fault = error;
      }
    }
  }

  void begin_row(const std::string& key) {
    if (group_ && group_->key == key && group_->archive == tar_.archive_number()) return;
    pass_on();
    group_ = Group{};
    group_->key = key;
    group_->archive = tar_.archive_number();
    constexpr size_t kMaxKeys = 1 << 20;
    if (keys_.size() >= kMaxKeys) keys_.clear();
    group_->occurred_before = !keys_.insert(std::hash<std::string>()(key)).second;
  }

  void pass_on() {
    if (!group_) return;
    if (group_->is_complete() && group_->dotted > 0) {
      account_.passed_over["other type"] += group_->dotted;
      group_->entries -= group_->dotted;
    }
    if (skip_-- > 0) return;
    const std::string where = fmt::format("{}: {}", file(), group_->key.substr(0, 200));
    SourceRow row = make_row([&] { return content_of_group(*group_, options_, where); });
    row.done = kibibytes(tar_.position());
    row.entries = group_->entries;
    sink_(std::move(row));
  }

  void add_other_bytes() {
    ++account_.entries;
    if (skip_-- > 0) return;
    SourceRow row = make_row([&]() -> std::vector<io::Sample> {
      throw RejectedRow("bytes after the end",
                        "{}: expected nothing or a further tar archive after the end mark, found "
                        "other bytes",
                        file());
    });
    row.done = kibibytes(tar_.position());
    sink_(std::move(row));
  }

  const WebdatasetOptions& options_;
  int64_t skip_;
  const RowSink& sink_;
  io::TarReader tar_;
  std::optional<Group> group_;
  std::unordered_set<size_t> keys_;  // hashes
  SourceAccount account_;
};

}  // namespace

WebdatasetSource::WebdatasetSource(WebdatasetOptions options) : options_(std::move(options)) {
  io::TarReader(options_.file, options_.limits);
}

SourceExtent WebdatasetSource::extent() const {
  return {kibibytes(io::File::open(options_.file).size()), "KiB", 0};
}

void WebdatasetSource::read(int64_t skip, const RowSink& sink) {
  account_ = Rows(options_, skip, sink).read();
}

}  // namespace lynceus::prepare
