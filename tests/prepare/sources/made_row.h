// Random rows of corpora and their damage, for tests that know what must become of each.
#pragma once

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "io/files/json.h"
#include "prepare/rows/source.h"

namespace lynceus::prepare {

/// A row as JSON members, and what must become of it.
struct MadeRow {
  std::vector<std::string> members;
  std::string reject;  // kind; empty: the samples
  std::vector<io::Sample> samples;
  LeftOut left_out = {};

  void add(const std::string& key, const std::string& json) {
    members.push_back("\"" + key + "\": " + json);
  }
};

/// Draws the parts of rows; the same ones for the same seed.
class Maker {
 public:
  Maker(uint64_t seed, std::vector<std::string> pictures)
      : random_(seed), pictures_(std::move(pictures)) {}

  const std::vector<std::string>& pictures() const { return pictures_; }
  size_t below(size_t n) { return random_() % n; }
  bool chance(size_t one_in) { return below(one_in) == 0; }

  std::string text() {
    constexpr const char* kWords[] = {
        "grey", "}],[{", "a \"quote\"", "\\", "caf\u00e9", "\U0001F98A", "[1, 2]",
        "x\ny", "{",     "]",           ":",  ",",         "\\u0041",    "two  spaces"};
    std::string text = "w";
    for (size_t n = below(5); n > 0; --n) text += " " + std::string(kWords[below(14)]);
    return text + " e";
  }
  std::string quoted(const std::string& text) { return io::json_quoted(text); }

  /// A number in one of the forms that mean the same name.
  std::string number(int64_t value) {
    const std::string plain = std::to_string(value);
    const std::string forms[] = {plain, plain + ".0", "\"" + plain + "\"", plain + "e0"};
    return forms[below(4)];
  }
  /// Adds an id or none; returns the name that it stands for.
  std::string add_id(MadeRow& row, const std::string& key, const std::string& otherwise) {
    const auto value = static_cast<int64_t>(below(1000));
    if (chance(3)) return otherwise;
    if (chance(5)) return row.add(key, "null"), otherwise;
    row.add(key, number(value));
    return std::to_string(value);
  }
  /// Adds `count` pictures to the row and the sample.
  void add_pictures(MadeRow& row, io::Sample& sample, size_t count, bool may_be_single = true) {
    std::string list;
    for (size_t i = 0; i < count; ++i) {
      const size_t which = below(2);
      list +=
          (i == 0 ? "" : ", ") + std::string(which == 0 ? "\"images/a.jpg\"" : "\"images/b.jpg\"");
      sample.media.push_back(pictures_[which]);
    }
    if (count == 1 && may_be_single && chance(2))
      row.add("image", list);
    else if (count > 0)
      row.add(chance(2) ? "image" : "images", "[" + list + "]");
    else if (chance(3))
      row.add("image", chance(2) ? "null" : "[]");
  }
  std::string name_of(const MadeRow& row) {
    for (const std::string& member : row.members) {
      const size_t at = member.find("images/");
      if (at != std::string::npos) return member.substr(at, 12);
    }
    return "";
  }

  /// Makes the row unusable, or adds what must not matter.
  void damage(MadeRow& row, bool is_array) {
    const auto malformed = [&](const std::string& key, const std::string& json) {
      row.add(key, json);
      row.reject = "malformed row";
    };
    switch (below(20)) {
      case 12:
      case 13:
      case 14: {  // brackets and quotes that do not match
        const std::vector<std::string> values = {
            R"("a"b")", R"("say "hi", ok")", R"("a)",   R"(a")",      R"("a\")",
            R"(["b")",  R"("b"])",           R"("b"})", R"({"b": 1)", R"(["b", {"c": 1})"};
        return malformed("note", values[below(values.size())]);
      }
      case 0:
        return malformed("note", "\"\\ud83d\"");
      case 1:
        return malformed("note", chance(2) ? "NaN" : "-Infinity");
      case 2:
        return malformed("note", "\"\\q\"");
      case 3:
        return malformed("note", "\"a\x01z\"");
      case 4:
        return malformed("note", "\"\xff\"");
      case 5:
        return malformed("note", std::string(70, '[') + std::string(70, ']'));
      case 6:
        return malformed("note", is_array ? "\"a\nb\"" : "tru");
      case 7:
      case 8:
        if (!row.reject.empty()) return;
        row.add(chance(2) ? "audio" : "Audio", chance(2) ? "\"a.wav\"" : "[\"a.wav\"]");
        row.reject = "unread key audio";
        return;
      case 9:
        return row.add("audio", chance(2) ? "null" : "[\"\"]");
      case 10:
        return row.add("meta", "{\"text\": [1, {\"video\": 2}]}");
      case 11:
        return row.add("tools", "[]");
      default:
        return;
    }
  }

 private:
  std::mt19937_64 random_;
  std::vector<std::string> pictures_;
};

}  // namespace lynceus::prepare
